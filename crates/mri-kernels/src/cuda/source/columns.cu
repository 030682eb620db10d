// The column matrix of a convolution, (images, channels * kh * kw, oh * ow), and its adjoint.

struct Window {
    u32 channels, h, w, oh, ow, kh, kw, stride, pad;
};

template <typename T>
__device__ void unfold(const T* x, T* columns, Window g, u32 count) {
    FOR_EACH(i, count) {
        u32 pixels = g.oh * g.ow, row = i / pixels, tap = row % (g.kh * g.kw), plane = row / (g.kh * g.kw);
        u32 iy = i % pixels / g.ow * g.stride + tap / g.kw - g.pad;
        u32 ix = i % g.ow * g.stride + tap % g.kw - g.pad;
        // Left of the border the unsigned number is huge.
        store(columns, i, iy < g.h && ix < g.w ? load(x, (plane * g.h + iy) * g.w + ix) : 0.f);
    }
}
#define PARAMETERS(T) (const T* x, T* columns, Window g, u32 count)
FOR_BOTH_TYPES(unfold, PARAMETERS, (x, columns, g, count))
#undef PARAMETERS

template <typename T>
__device__ void fold(const T* columns, T* x, Window g, u32 count) {
    FOR_EACH(i, count) {
        u32 plane = i / (g.h * g.w), iy = i / g.w % g.h, ix = i % g.w;
        float total = 0.f;
        for (u32 ky = 0; ky < g.kh; ky++) {
            u32 y = iy + g.pad - ky;
            if (y % g.stride || y / g.stride >= g.oh) continue;
            for (u32 kx = 0; kx < g.kw; kx++) {
                u32 at = ix + g.pad - kx;
                if (at % g.stride || at / g.stride >= g.ow) continue;
                u32 row = (plane * g.kh + ky) * g.kw + kx;
                total += load(columns, (row * g.oh + y / g.stride) * g.ow + at / g.stride);
            }
        }
        store(x, i, total);
    }
}
#define PARAMETERS(T) (const T* columns, T* x, Window g, u32 count)
FOR_BOTH_TYPES(fold, PARAMETERS, (columns, x, g, count))
#undef PARAMETERS

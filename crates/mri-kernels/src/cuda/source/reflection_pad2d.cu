// Padding by reflection: one thread an output pixel forward, one an input pixel backward.

__device__ __forceinline__ u32 reflected(u32 i, u32 before, u32 n) {
    u32 p = i > before ? i - before : before - i;
    return i < before || p < n ? p : 2 * (n - 1) - p;
}

// Where source index s of a side of n lies in the padded side: at itself, mirrored before it, mirrored behind it.
__device__ __forceinline__ u32 images_of(u32 s, u32 before, u32 after, u32 n, u32* found) {
    u32 count = 0;
    found[count++] = before + s;
    if (s >= 1 && s <= before) found[count++] = before - s;
    if (s + 1 < n && n - 1 - s <= after) found[count++] = before + 2 * (n - 1) - s;
    return count;
}

template <typename T>
__device__ void reflection_pad2d(const T* x, T* y, u32 h, u32 w, u32 left, u32 right, u32 top, u32 bottom, u32 count) {
    u32 ph = top + h + bottom, pw = left + w + right;
    FOR_EACH(i, count) {
        u32 plane = i / (ph * pw), row = i / pw % ph, column = i % pw;
        y[i] = x[(plane * h + reflected(row, top, h)) * w + reflected(column, left, w)];
    }
}
#define PARAMETERS(T) (const T* x, T* y, u32 h, u32 w, u32 left, u32 right, u32 top, u32 bottom, u32 count)
FOR_BOTH_TYPES(reflection_pad2d, PARAMETERS, (x, y, h, w, left, right, top, bottom, count))
#undef PARAMETERS

template <typename T>
__device__ void reflection_pad2d_backward(const T* dy, T* dx, u32 h, u32 w, u32 left, u32 right, u32 top, u32 bottom,
                                          u32 count) {
    u32 ph = top + h + bottom, pw = left + w + right;
    FOR_EACH(i, count) {
        u32 plane = i / (h * w), rows[3], columns[3];
        u32 row_count = images_of(i / w % h, top, bottom, h, rows);
        u32 column_count = images_of(i % w, left, right, w, columns);
        float total = 0.f;
        for (u32 r = 0; r < row_count; r++)
            for (u32 c = 0; c < column_count; c++) total += load(dy, (plane * ph + rows[r]) * pw + columns[c]);
        store(dx, i, total);
    }
}
#define PARAMETERS(T) (const T* dy, T* dx, u32 h, u32 w, u32 left, u32 right, u32 top, u32 bottom, u32 count)
FOR_BOTH_TYPES(reflection_pad2d_backward, PARAMETERS, (dy, dx, h, w, left, right, top, bottom, count))
#undef PARAMETERS

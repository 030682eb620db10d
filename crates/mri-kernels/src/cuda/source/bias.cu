// The bias of a convolution, one value a channel.

template <typename T>
__device__ void add_bias(T * y, const float* bias, u32 channels, u32 area, u32 count) {
    FOR_EACH(i, count) store(y, i, load(y, i) + bias[i / area % channels]);
}
#define PARAMETERS(T) (T * y, const float* bias, u32 channels, u32 area, u32 count)
FOR_BOTH_TYPES(add_bias, PARAMETERS, (y, bias, channels, area, count))
#undef PARAMETERS

// One block a channel: the sum of dy over all images, written or added.
template <typename T>
__device__ void bias_gradient(const T* dy, float* dbias, u32 adds, u32 images, u32 channels, u32 area) {
    float total = 0.f;
    for (u32 n = 0; n < images; n++) {
        const T* plane = dy + (u64)(n * channels + blockIdx.x) * area;
        float of_plane = 0.f;
        FOR_EACH_IN_BLOCK(i, area) of_plane += load(plane, i);
        total += of_plane;
    }
    total = block_sum(total);
    if (threadIdx.x == 0) dbias[blockIdx.x] = total + (adds ? dbias[blockIdx.x] : 0.f);
}
#define PARAMETERS(T) (const T* dy, float* dbias, u32 adds, u32 images, u32 channels, u32 area)
FOR_BOTH_TYPES(bias_gradient, PARAMETERS, (dy, dbias, adds, images, channels, area))
#undef PARAMETERS

// The bias of a convolution, one value a channel.

template <typename T>
__device__ void add_bias(T* y, const float* bias, u32 channels, u32 area, u32 count) {
    FOR_EACH(i, count) store(y, i, load(y, i) + bias[i / area % channels]);
}
#define PARAMETERS(T) (T * y, const float* bias, u32 channels, u32 area, u32 count)
FOR_BOTH_TYPES(add_bias, PARAMETERS, (y, bias, channels, area, count))
#undef PARAMETERS

// One block a plane: the sum of dy over it.
template <typename T>
__device__ void plane_sums(const T* dy, float* sums, u32 area) {
    dy += (u64)blockIdx.x * area;
    float total = 0.f;
    FOR_EACH_IN_BLOCK(i, area) total += load(dy, i);
    total = block_sum(total);
    if (threadIdx.x == 0) sums[2 * blockIdx.x] = total;
}
#define PARAMETERS(T) (const T* dy, float* sums, u32 area)
FOR_BOTH_TYPES(plane_sums, PARAMETERS, (dy, sums, area))
#undef PARAMETERS

// Losses as means: partial sums of blocks, then one block adds those.

enum { SQUARED = 0, CROSS_ENTROPY = 1, ABSOLUTE = 2 };

// `b` is the other operand of the absolute difference and null for the others.
__device__ __forceinline__ float loss_term(u32 kind, float a, const float* b, u32 i, float target) {
    if (kind == SQUARED) return (a - target) * (a - target);
    if (kind == CROSS_ENTROPY) return fmaxf(a, 0.f) - a * target + log1pf(expf(-fabsf(a)));
    return fabsf(a - b[i]);
}

__device__ __forceinline__ float loss_slope(u32 kind, float a, const float* b, u32 i, float target) {
    if (kind == SQUARED) return 2.f * (a - target);
    if (kind == CROSS_ENTROPY) return 1.f / (1.f + expf(-a)) - target;
    float d = a - b[i];
    return d > 0.f ? 1.f : d < 0.f ? -1.f : 0.f;
}

extern "C" __global__ void loss_parts(const float* a, const float* b, float* parts, u32 kind, float target, u32 count) {
    float total = 0.f;
    FOR_EACH(i, count) total += loss_term(kind, a[i], b, i, target);
    total = block_sum(total);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// One block.
extern "C" __global__ void mean_of_parts(const float* parts, float* mean, u32 part_count, u32 count) {
    float total = 0.f;
    FOR_EACH_IN_BLOCK(i, part_count) total += parts[i];
    total = block_sum(total);
    if (threadIdx.x == 0) *mean = total / count;
}

// da = slope * dy / count, and db its negative where it is not null
extern "C" __global__ void loss_backward(const float* a, const float* b, const float* dy, float* da, float* db, u32 kind,
                                         float target, u32 count) {
    float scale = *dy / count;
    FOR_EACH(i, count) {
        float d = scale * loss_slope(kind, a[i], b, i, target);
        if (da) da[i] = d;
        if (db) db[i] = -d;
    }
}

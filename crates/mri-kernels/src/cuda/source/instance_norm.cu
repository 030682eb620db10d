// Instance normalization with a leaky rectifier: one block a plane. `statistics` holds mean and 1 / sd of each plane.

// The value before the activation: forward and backward must agree on its sign.
__device__ __forceinline__ float normalized(float v, float mean, float inverse_sd, float gamma, float beta) {
    return (v - mean) * inverse_sd * gamma + beta;
}

template <typename T>
__device__ void instance_norm(const T* x, const float* gammas, const float* betas, T* y, float* statistics, u32 channels,
                              u32 area, float eps, float slope) {
    u32 plane = blockIdx.x, channel = plane % channels;
    x += (u64)plane * area;
    y += (u64)plane * area;
    float total = 0.f;
    FOR_EACH_IN_BLOCK(i, area) total += load(x, i);
    float rough = block_sum(total) / area;
    // Moments about the rough mean: its rounding error is corrected, and nothing cancels.
    float first = 0.f, second = 0.f;
    FOR_EACH_IN_BLOCK(i, area) {
        float d = load(x, i) - rough;
        first += d;
        second += d * d;
    }
    first = block_sum(first) / area;
    second = block_sum(second) / area;
    float mean = rough + first, inverse_sd = 1.f / sqrtf(fmaxf(second - first * first, 0.f) + eps);
    if (threadIdx.x == 0) {
        statistics[2 * plane] = mean;
        statistics[2 * plane + 1] = inverse_sd;
    }
    float gamma = gammas ? gammas[channel] : 1.f, beta = betas ? betas[channel] : 0.f;
    FOR_EACH_IN_BLOCK(i, area) {
        float z = normalized(load(x, i), mean, inverse_sd, gamma, beta);
        store(y, i, z > 0.f ? z : slope * z);
    }
}
#define PARAMETERS(T)                                                                                          \
    (const T* x, const float* gammas, const float* betas, T* y, float* statistics, u32 channels, u32 area, float eps, \
     float slope)
FOR_BOTH_TYPES(instance_norm, PARAMETERS, (x, gammas, betas, y, statistics, channels, area, eps, slope))
#undef PARAMETERS

// `sums` receives the sums of dz and of dz * (x - mean) / sd over each plane, where dz is the gradient before the
// activation; dx may be null.
template <typename T>
__device__ void instance_norm_backward(const T* x, const T* dy, const float* gammas, const float* betas,
                                       const float* statistics, T* dx, float* sums, u32 channels, u32 area, float slope) {
    u32 plane = blockIdx.x, channel = plane % channels;
    x += (u64)plane * area;
    dy += (u64)plane * area;
    float mean = statistics[2 * plane], inverse_sd = statistics[2 * plane + 1];
    float gamma = gammas ? gammas[channel] : 1.f, beta = betas ? betas[channel] : 0.f;
    float total = 0.f, projected = 0.f;
    FOR_EACH_IN_BLOCK(i, area) {
        float v = load(x, i), d = load(dy, i);
        float dz = normalized(v, mean, inverse_sd, gamma, beta) > 0.f ? d : slope * d;
        total += dz;
        projected += dz * ((v - mean) * inverse_sd);
    }
    total = block_sum(total);
    projected = block_sum(projected);
    if (threadIdx.x == 0) {
        sums[2 * plane] = total;
        sums[2 * plane + 1] = projected;
    }
    if (!dx) return;
    dx += (u64)plane * area;
    float mean_dz = total / area, mean_projected = projected / area, scale = gamma * inverse_sd;
    FOR_EACH_IN_BLOCK(i, area) {
        float v = load(x, i), d = load(dy, i);
        float dz = normalized(v, mean, inverse_sd, gamma, beta) > 0.f ? d : slope * d;
        store(dx, i, scale * (dz - mean_dz - (v - mean) * inverse_sd * mean_projected));
    }
}
#define PARAMETERS(T)                                                                                              \
    (const T* x, const T* dy, const float* gammas, const float* betas, const float* statistics, T* dx, float* sums, \
     u32 channels, u32 area, float slope)
FOR_BOTH_TYPES(instance_norm_backward, PARAMETERS,
               (x, dy, gammas, betas, statistics, dx, sums, channels, area, slope))
#undef PARAMETERS

// The sums over the images of `sums` (images, channels, 2): those of dz are beta's gradient and those of dz * xhat are
// gamma's, written or added; either may be null.
extern "C" __global__ void affine_gradients(const float* sums, float* dgamma, float* dbeta, u32 adds_gamma, u32 adds_beta,
                                            u32 images, u32 channels) {
    FOR_EACH(c, channels) {
        float total = 0.f, projected = 0.f;
        for (u32 n = 0; n < images; n++) {
            total += sums[2 * (n * channels + c)];
            projected += sums[2 * (n * channels + c) + 1];
        }
        if (dgamma) dgamma[c] = projected + (adds_gamma ? dgamma[c] : 0.f);
        if (dbeta) dbeta[c] = total + (adds_beta ? dbeta[c] : 0.f);
    }
}

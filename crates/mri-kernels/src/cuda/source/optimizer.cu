// Updates of many tensors in one launch: one block a chunk. `chunks` tells each block its tensor and the chunk's number.

enum { CHUNK = 16384 };

struct Chunk {
    u32 tensor;
    u32 number;
};

struct AdamTensor {
    float* parameter;
    const float* gradient;
    float* first_moment;
    float* second_moment;
    u64 count;
    float rate_factor;
    u32 unused;
};

extern "C" __global__ void adam(const AdamTensor* tensors, const Chunk* chunks, const float* loss, float rate,
                                float beta1, float beta2, float rest1, float rest2, float root, float eps) {
    if (!isfinite(*loss)) return;
    Chunk chunk = chunks[blockIdx.x];
    AdamTensor t = tensors[chunk.tensor];
    u64 start = (u64)chunk.number * CHUNK;
    u64 end = min(start + CHUNK, t.count);
    rate *= t.rate_factor;
    for (u64 i = start + threadIdx.x; i < end; i += blockDim.x) {
        float g = t.gradient[i];
        float m = beta1 * t.first_moment[i] + rest1 * g;
        float v = beta2 * t.second_moment[i] + rest2 * (g * g);
        t.first_moment[i] = m;
        t.second_moment[i] = v;
        t.parameter[i] -= rate * m / (sqrtf(v) * root + eps);
    }
}

struct AverageTensor {
    float* average;
    const float* target;
    u64 count;
};

extern "C" __global__ void move_toward(const AverageTensor* tensors, const Chunk* chunks, float share) {
    Chunk chunk = chunks[blockIdx.x];
    AverageTensor t = tensors[chunk.tensor];
    u64 start = (u64)chunk.number * CHUNK;
    u64 end = min(start + CHUNK, t.count);
    for (u64 i = start + threadIdx.x; i < end; i += blockDim.x) t.average[i] += (t.target[i] - t.average[i]) * share;
}

// Sums over a block, always added in the same order. Blocks have a multiple of 32 threads, at most 1024.

__device__ __forceinline__ float warp_sum(float v) {
    for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
    return v;
}

// The sum of every thread's `v`, given to all threads.
__device__ float block_sum(float v) {
    __shared__ float parts[32];
    v = warp_sum(v);
    // A former sum may still be read.
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    return warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? parts[threadIdx.x % 32] : 0.f);
}

// Normal deviates from a ChaCha8 stream by Marsaglia's polar method, the same bits as on the CPU: f64 arithmetic is
// rounded after each operation, so no product and sum may be contracted to one.
//
// The method rejects a part of its candidates, so where a deviate goes depends on all candidates before it. One launch
// counts what each block accepts, the next adds up the counts before a block and writes.

// Threads of a block; each makes one block of the stream at a time, which holds four candidates.
#define NOISE_THREADS 256u

__device__ __forceinline__ void quarter_round(u32& a, u32& b, u32& c, u32& d) {
    a += b; d ^= a; d = d << 16 | d >> 16;
    c += d; b ^= c; b = b << 12 | b >> 20;
    a += b; d ^= a; d = d << 8 | d >> 24;
    c += d; b ^= c; b = b << 7 | b >> 25;
}

struct StreamKey {
    u64 words[4];
};

struct Candidates {
    double u[4], v[4], s[4];

    __device__ __forceinline__ bool accepts(int i) const { return s[i] > 0. && s[i] < 1.; }
};

// 53 random bits as a number in [-1, 1).
__device__ __forceinline__ double symmetric_uniform(u32 low, u32 high) {
    u64 bits = (u64)high << 32 | low;
    return __dadd_rn(__dmul_rn((double)(bits >> 11), 1. / (1ull << 52)), -1.);
}

__device__ Candidates candidates(const StreamKey& key, u64 block) {
    u32 start[16] = {0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u};
    for (int i = 0; i < 4; ++i) {
        start[4 + 2 * i] = (u32)key.words[i];
        start[5 + 2 * i] = (u32)(key.words[i] >> 32);
    }
    start[12] = (u32)block;
    start[13] = (u32)(block >> 32);
    start[14] = start[15] = 0;
    u32 x[16];
#pragma unroll
    for (int i = 0; i < 16; ++i) x[i] = start[i];
#pragma unroll
    for (int round = 0; round < 8; round += 2) {
        quarter_round(x[0], x[4], x[8], x[12]);
        quarter_round(x[1], x[5], x[9], x[13]);
        quarter_round(x[2], x[6], x[10], x[14]);
        quarter_round(x[3], x[7], x[11], x[15]);
        quarter_round(x[0], x[5], x[10], x[15]);
        quarter_round(x[1], x[6], x[11], x[12]);
        quarter_round(x[2], x[7], x[8], x[13]);
        quarter_round(x[3], x[4], x[9], x[14]);
    }
#pragma unroll
    for (int i = 0; i < 16; ++i) x[i] += start[i];
    Candidates found;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        double u = symmetric_uniform(x[4 * i], x[4 * i + 1]), v = symmetric_uniform(x[4 * i + 2], x[4 * i + 3]);
        found.u[i] = u;
        found.v[i] = v;
        found.s[i] = __dadd_rn(__dmul_rn(u, u), __dmul_rn(v, v));
    }
    return found;
}

__device__ __forceinline__ u32 accepted(const Candidates& found) {
    u32 count = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) count += found.accepts(i);
    return count;
}

// ln(s) as on the CPU: s = m 2^e with m in [1/sqrt 2, sqrt 2), ln m = 2 artanh((m - 1) / (m + 1)).
__device__ double natural_log(double s) {
    u64 bits = __double_as_longlong(s);
    int exponent = (int)(bits >> 52) - 1023;
    double m = __longlong_as_double((bits & ((1ull << 52) - 1)) | 1023ull << 52);
    if (m > 1.41421356237309504880) {
        m *= 0.5;
        exponent += 1;
    }
    double z = __ddiv_rn(__dadd_rn(m, -1.), __dadd_rn(m, 1.));
    double series = 0.;
#pragma unroll
    for (int k = 10; k >= 0; --k) series = __dadd_rn(__dmul_rn(__dmul_rn(series, z), z), 1. / (2 * k + 1));
    return __dadd_rn(__dmul_rn(__dmul_rn(2., z), series), __dmul_rn((double)exponent, 0.693147180559945309417));
}

// The sum of `v` over the threads before this one, and over all.
__device__ u32 block_prefix(u32 v, u32* total) {
    __shared__ u32 sums[NOISE_THREADS];
    u32 place = threadIdx.x, sum = v;
    for (u32 step = 1; step < NOISE_THREADS; step *= 2) {
        // Former sums may still be read.
        __syncthreads();
        sums[place] = sum;
        __syncthreads();
        if (place >= step) sum += sums[place - step];
    }
    __syncthreads();
    sums[place] = sum;
    __syncthreads();
    *total = sums[NOISE_THREADS - 1];
    return sum - v;
}

extern "C" __global__ void count_normals(u64 k0, u64 k1, u64 k2, u64 k3, u32* counts, u32 tiles) {
    StreamKey key = {k0, k1, k2, k3};
    u32 count = 0, total;
    for (u32 tile = 0; tile < tiles; ++tile) {
        count += accepted(candidates(key, ((u64)blockIdx.x * tiles + tile) * NOISE_THREADS + threadIdx.x));
    }
    block_prefix(count, &total);
    if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

// y = x + deviation * normals, where `counts` are those of blocks of `tiles`. The last block goes on to the end.
extern "C" __global__ void normal_noise(const float* x, float* y, float deviation, u64 k0, u64 k1, u64 k2, u64 k3,
                                        const u32* counts, u32 tiles, u32 count) {
    StreamKey key = {k0, k1, k2, k3};
    u32 sum = 0, written;
    for (u32 block = threadIdx.x; block < blockIdx.x; block += NOISE_THREADS) sum += counts[block];
    block_prefix(sum, &written);
    u32 pairs = count / 2 + count % 2;
    bool is_last = blockIdx.x + 1 == gridDim.x;
    for (u32 tile = 0; written < pairs && (is_last || tile < tiles); ++tile) {
        Candidates found = candidates(key, ((u64)blockIdx.x * tiles + tile) * NOISE_THREADS + threadIdx.x);
        u32 total, pair = written + block_prefix(accepted(found), &total);
        written += total;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (found.accepts(i) && pair < pairs) {
                double s = found.s[i];
                double f = __dsqrt_rn(__ddiv_rn(__dmul_rn(-2., natural_log(s)), s));
                u32 at = 2 * pair;
                y[at] = __fadd_rn(x[at], __fmul_rn(deviation, (float)__dmul_rn(found.u[i], f)));
                if (++at < count) y[at] = __fadd_rn(x[at], __fmul_rn(deviation, (float)__dmul_rn(found.v[i], f)));
                ++pair;
            }
        }
    }
}

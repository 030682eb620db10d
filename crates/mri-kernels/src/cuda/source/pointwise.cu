// One thread an element. Backward passes take what their forward pass kept: its input or its output.

template <typename T>
__device__ void leaky_relu(const T* x, T* y, float slope, u32 count) {
    FOR_EACH(i, count) {
        float v = load(x, i);
        store(y, i, v > 0.f ? v : slope * v);
    }
}
#define PARAMETERS(T) (const T* x, T* y, float slope, u32 count)
FOR_BOTH_TYPES(leaky_relu, PARAMETERS, (x, y, slope, count))
#undef PARAMETERS

template <typename T>
__device__ void leaky_relu_backward(const T* x, const T* dy, T* dx, float slope, u32 count) {
    FOR_EACH(i, count) {
        float d = load(dy, i);
        store(dx, i, load(x, i) > 0.f ? d : slope * d);
    }
}
#define PARAMETERS(T) (const T* x, const T* dy, T* dx, float slope, u32 count)
FOR_BOTH_TYPES(leaky_relu_backward, PARAMETERS, (x, dy, dx, slope, count))
#undef PARAMETERS

template <typename T>
__device__ void tanh_forward(const T* x, T* y, u32 count) {
    FOR_EACH(i, count) store(y, i, tanhf(load(x, i)));
}
#define PARAMETERS(T) (const T* x, T* y, u32 count)
FOR_BOTH_TYPES(tanh_forward, PARAMETERS, (x, y, count))
#undef PARAMETERS

template <typename T>
__device__ void tanh_backward(const T* y, const T* dy, T* dx, u32 count) {
    FOR_EACH(i, count) {
        float v = load(y, i);
        store(dx, i, load(dy, i) * (1.f - v * v));
    }
}
#define PARAMETERS(T) (const T* y, const T* dy, T* dx, u32 count)
FOR_BOTH_TYPES(tanh_backward, PARAMETERS, (y, dy, dx, count))
#undef PARAMETERS

// 24 random bits of counter i: SplitMix64, as on the CPU.
__device__ __forceinline__ u32 random_bits(u64 key, u64 i) {
    u64 z = key + i * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (u32)((z ^ (z >> 31)) >> 40);
}

template <typename T>
__device__ void dropout(const T* x, T* y, u64 key, u32 threshold, float scale, u32 count) {
    FOR_EACH(i, count) store(y, i, random_bits(key, i) < threshold ? 0.f : load(x, i) * scale);
}
#define PARAMETERS(T) (const T* x, T* y, u64 key, u32 threshold, float scale, u32 count)
FOR_BOTH_TYPES(dropout, PARAMETERS, (x, y, key, threshold, scale, count))
#undef PARAMETERS

extern "C" __global__ void narrow_to_bf16(const float* x, bf16* y, u32 count) {
    FOR_EACH(i, count) store(y, i, x[i]);
}

// sum (+)= x
extern "C" __global__ void add_bf16(const bf16* x, float* sum, u32 adds, u32 count) {
    FOR_EACH(i, count) sum[i] = load(x, i) + (adds ? sum[i] : 0.f);
}

// Rows of y are rows of a, of `in_a` elements, each followed by one of b, of `in_b`.
template <typename T>
__device__ void join_rows(const T* a, const T* b, T* y, u32 in_a, u32 in_b, u32 count) {
    FOR_EACH(i, count) {
        u32 row = i / (in_a + in_b), place = i % (in_a + in_b);
        y[i] = place < in_a ? a[row * in_a + place] : b[row * in_b + place - in_a];
    }
}
#define PARAMETERS(T) (const T* a, const T* b, T* y, u32 in_a, u32 in_b, u32 count)
FOR_BOTH_TYPES(join_rows, PARAMETERS, (a, b, y, in_a, in_b, count))
#undef PARAMETERS

// The reverse; a or b may be null.
template <typename T>
__device__ void split_rows(const T* y, T* a, T* b, u32 in_a, u32 in_b, u32 count) {
    FOR_EACH(i, count) {
        u32 row = i / (in_a + in_b), place = i % (in_a + in_b);
        if (place < in_a) {
            if (a) a[row * in_a + place] = y[i];
        } else if (b) {
            b[row * in_b + place - in_a] = y[i];
        }
    }
}
#define PARAMETERS(T) (const T* y, T* a, T* b, u32 in_a, u32 in_b, u32 count)
FOR_BOTH_TYPES(split_rows, PARAMETERS, (y, a, b, in_a, in_b, count))
#undef PARAMETERS

// Elements of tensors: f32, and bf16 as the upper half of one. All arithmetic is in f32.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct bf16 {
    u16 bits;
};

__device__ __forceinline__ float load(const float* p, u32 i) { return p[i]; }
__device__ __forceinline__ float load(const bf16* p, u32 i) { return __uint_as_float((u32)p[i].bits << 16); }

__device__ __forceinline__ void store(float* p, u32 i, float v) { p[i] = v; }
// Rounds to nearest, ties to even; any NaN becomes the quiet one.
__device__ __forceinline__ void store(bf16* p, u32 i, float v) {
    u32 bits = __float_as_uint(v);
    bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    p[i].bits = is_nan ? (u16)0x7fff : (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// The elements that this thread visits, when the whole grid shares `count` of them.
#define FOR_EACH(i, count) \
    _Pragma("unroll 4") for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += gridDim.x * blockDim.x)

// The elements that this thread visits, when each block visits all.
#define FOR_EACH_IN_BLOCK(i, count) _Pragma("unroll 4") for (u32 i = threadIdx.x; i < (count); i += blockDim.x)

// Defines the kernels NAME_f32 and NAME_bf16 of a template `NAME<T>`.
#define FOR_BOTH_TYPES(NAME, PARAMETERS, ARGUMENTS)                                      \
    extern "C" __global__ void NAME##_f32 PARAMETERS(float) { NAME<float> ARGUMENTS; }   \
    extern "C" __global__ void NAME##_bf16 PARAMETERS(bf16) { NAME<bf16> ARGUMENTS; }

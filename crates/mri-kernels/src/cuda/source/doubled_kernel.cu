// A 3x3 kernel after doubling by nearest neighbour, as the 4x4 kernel of a transposed convolution of stride 2: each tap
// of the 3x3 kernel is added to 2x2 taps. Along one axis tap 0 goes to 2 and 3, tap 1 to 1 and 2, tap 2 to 0 and 1.

// (co, ci, 3, 3) -> (ci, co, 4, 4)
extern "C" __global__ void doubled_kernel(const float* weight, float* out, u32 co, u32 ci, u32 count) {
    FOR_EACH(i, count) {
        int row = i / 4 % 4, column = i % 4;
        u32 o = i / 16 % co, c = i / 16 / co;
        float total = 0.f;
        for (int a = max(0, 2 - row); a <= min(2, 3 - row); a++)
            for (int b = max(0, 2 - column); b <= min(2, 3 - column); b++)
                total += weight[(o * ci + c) * 9 + a * 3 + b];
        out[i] = total;
    }
}

// (ci, co, 4, 4) -> (co, ci, 3, 3)
extern "C" __global__ void doubled_kernel_backward(const float* dout, float* dweight, u32 adds, u32 co, u32 ci,
                                                   u32 count) {
    FOR_EACH(i, count) {
        u32 a = i % 9 / 3, b = i % 3, c = i / 9 % ci, o = i / 9 / ci;
        const float* from = dout + (c * co + o) * 16 + (2 - a) * 4 + (2 - b);
        dweight[i] = (from[0] + from[1]) + (from[4] + from[5]) + (adds ? dweight[i] : 0.f);
    }
}

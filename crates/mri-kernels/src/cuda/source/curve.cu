// y = tanh(atanh(0.98 * curve(x)) + logits), where the curve is piecewise linear between knots on [-1, 1].

struct CurvePoint {
    float value;
    float slope;
};

__device__ __forceinline__ float curve_position(float x, u32 knot_count) {
    float half = (knot_count - 1) / 2.f;
    return fminf(fmaxf(x, -1.f), 1.f) * half + half;
}

__device__ __forceinline__ CurvePoint curve_at(float x, const float* knots, u32 knot_count) {
    float u = curve_position(x, knot_count);
    float i = fminf(floorf(u), (float)(knot_count - 2));
    float left = knots[(u32)i], rise = knots[(u32)i + 1] - left;
    // The clamp of the position takes NaN for a number; the value must not.
    float value = isnan(x) ? x : left + rise * (u - i);
    return {value, x > -1.f && x < 1.f ? rise * ((knot_count - 1) / 2.f) : 0.f};
}

extern "C" __global__ void curve_skip(const float* x, const float* knots, const float* logits, float* y, u32 knot_count,
                                      u32 count) {
    FOR_EACH(i, count) {
        float base = 0.98f * curve_at(x[i], knots, knot_count).value;
        // NaN passes.
        base = base < -0.98f ? -0.98f : base > 0.98f ? 0.98f : base;
        y[i] = tanhf(0.5f * logf((base + 1.f) / (1.f - base)) + logits[i]);
    }
}

// `dcurve` receives the gradient of the curve's value at each pixel. Where the base is clamped it is 0.
extern "C" __global__ void curve_skip_backward(const float* x, const float* knots, const float* y, const float* dy,
                                               float* dx, float* dlogits, float* dcurve, u32 knot_count, u32 count) {
    FOR_EACH(i, count) {
        float d = dy[i] * (1.f - y[i] * y[i]);
        CurvePoint point = curve_at(x[i], knots, knot_count);
        float base = 0.98f * point.value;
        float dc = fabsf(base) < 0.98f ? 0.98f * d / (1.f - base * base) : 0.f;
        if (dlogits) dlogits[i] = d;
        if (dx) dx[i] = dc * point.slope;
        dcurve[i] = dc;
    }
}

// What lies within one knot's distance of a knot, weighted by how near: one block for each knot and slice of the pixels.
extern "C" __global__ void knot_parts(const float* x, const float* dcurve, float* parts, u32 knot_count, u32 slices,
                                      u32 count) {
    u32 knot = blockIdx.x / slices, slice = blockIdx.x % slices;
    float total = 0.f;
    for (u32 i = slice * blockDim.x + threadIdx.x; i < count; i += slices * blockDim.x) {
        float distance = fabsf(curve_position(x[i], knot_count) - knot);
        if (distance < 1.f) total += dcurve[i] * (1.f - distance);
    }
    total = block_sum(total);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// The parts of each knot, written or added.
extern "C" __global__ void knot_gradients(const float* parts, float* dknots, u32 adds, u32 slices, u32 knot_count) {
    FOR_EACH(knot, knot_count) {
        float total = 0.f;
        for (u32 slice = 0; slice < slices; slice++) total += parts[knot * slices + slice];
        dknots[knot] = total + (adds ? dknots[knot] : 0.f);
    }
}

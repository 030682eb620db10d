//! The one-dimensional transforms, by the points 0, 1, -1, 2, -2 and infinity.

/// A polynomial with these 3 or 4 coefficients at the six points: A, and G but for [`scaled`].
#[inline(always)]
pub(super) fn evaluate<const N: usize>(v: [f32; N]) -> [f32; 6] {
    let (even, mut odd, even2, mut odd2) = (v[0] + v[2], v[1], v[0] + 4. * v[2], 2. * v[1]);
    if N == 4 {
        odd += v[3];
        odd2 += 8. * v[3];
    }
    [v[0], even + odd, even - odd, even2 + odd2, even2 - odd2, v[N - 1]]
}

/// The transpose of [`evaluate`]: Aᵀ, and Gᵀ but for [`scaled`].
#[inline(always)]
pub(super) fn collect<const N: usize>([a, b, c, d, e, f]: [f32; 6]) -> [f32; N] {
    let (sum, difference, sum2, difference2) = (b + c, b - c, d + e, d - e);
    let mut v = [0.; N];
    v[0] = a + sum + sum2;
    v[1] = difference + 2. * difference2;
    v[2] = sum + 4. * sum2;
    if N == 4 {
        v[3] = difference + 8. * difference2;
    }
    v[N - 1] += f;
    v
}

/// The factors of G that [`evaluate`] leaves out.
#[inline(always)]
pub(super) fn scaled([a, b, c, d, e, f]: [f32; 6]) -> [f32; 6] {
    const SIXTH: f32 = -1. / 6.;
    const PART: f32 = 1. / 24.;
    [a * 0.25, b * SIXTH, c * SIXTH, d * PART, e * PART, f]
}

/// Bᵀ.
#[inline(always)]
pub(super) fn of_input([a, b, c, d, e, f]: [f32; 6]) -> [f32; 6] {
    let (even, odd) = (e - 4. * c, d - 4. * b);
    let (near, far) = (e - c, 2. * (d - b));
    [4. * a - 5. * c + e, even + odd, even - odd, near + far, near - far, 4. * b - 5. * d + f]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y[i] = Σⱼ w[j] d[i + j] by the transforms of one axis.
    fn filtered<const R: usize, const M: usize>(d: [f32; 6], w: [f32; R]) -> [f32; M] {
        let (kernel, input) = (scaled(evaluate(w)), of_input(d));
        collect(std::array::from_fn(|i| kernel[i] * input[i]))
    }

    #[test]
    fn the_filters_are_correlations() {
        let d = [0.3, -1.2, 0.7, 2.1, -0.4, 0.9];
        let close = |found: &[f32], w: &[f32]| {
            let direct = |i: usize| w.iter().zip(&d[i..]).map(|(w, d)| w * d).sum::<f32>();
            assert_eq!(found.len(), 7 - w.len());
            for (i, found) in found.iter().enumerate() {
                assert!((found - direct(i)).abs() < 1e-5, "{i}: {found} is not {}", direct(i));
            }
        };
        close(&filtered::<3, 4>(d, [0.5, -1.5, 0.25]), &[0.5, -1.5, 0.25]);
        close(&filtered::<4, 3>(d, [0.5, -1.5, 0.25, 2.0]), &[0.5, -1.5, 0.25, 2.0]);
    }
}

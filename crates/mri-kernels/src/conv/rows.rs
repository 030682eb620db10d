//! Products of a few rows of floats at a time, in registers, with the best vector instructions of the machine.

use pulp::{Arch, Simd, WithSimd};

use crate::matmul::Destination;

/// The 16 dot products of four rows with four others, all of one length, a multiple of 16.
pub(crate) fn dot_products(a: [&[f32]; 4], b: [&[f32]; 4]) -> [[f32; 4]; 4] {
    struct DotProducts<'a>([&'a [f32]; 4], [&'a [f32]; 4]);

    impl WithSimd for DotProducts<'_> {
        type Output = [[f32; 4]; 4];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let Self(a, b) = self;
            let count = a[0].len() / S::F32_LANES;
            let (a, b) = (vectors::<S, 4>(a, count), vectors::<S, 4>(b, count));
            let mut sums = [[simd.splat_f32s(0.); 4]; 4];
            for k in 0..count {
                for i in 0..4 {
                    for j in 0..4 {
                        sums[i][j] = simd.mul_add_f32s(a[i][k], b[j][k], sums[i][j]);
                    }
                }
            }
            sums.map(|sums| sums.map(|sum| simd.reduce_sum_f32s(sum)))
        }
    }

    Arch::new().dispatch(DotProducts(a, b))
}

/// `lines[j] += Σᵢ factors[j][i] · rows[i]`, all of one length, a multiple of 16.
pub(crate) fn add_rows(lines: [&mut [f32]; 2], rows: [&[f32]; 8], factors: [[f32; 8]; 2]) {
    struct AddRows<'a>([&'a mut [f32]; 2], [&'a [f32]; 8], [[f32; 8]; 2]);

    impl WithSimd for AddRows<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self([a, b], rows, factors) = self;
            let (a, b) = (S::as_mut_simd_f32s(a).0, S::as_mut_simd_f32s(b).0);
            let count = a.len();
            let (b, rows) = (&mut b[..count], vectors::<S, 8>(rows, count));
            let [fa, fb] = factors.map(|factors| factors.map(|factor| simd.splat_f32s(factor)));
            for k in 0..count {
                let (mut sum_a, mut sum_b) = (a[k], b[k]);
                for i in 0..8 {
                    let row = rows[i][k];
                    sum_a = simd.mul_add_f32s(row, fa[i], sum_a);
                    sum_b = simd.mul_add_f32s(row, fb[i], sum_b);
                }
                (a[k], b[k]) = (sum_a, sum_b);
            }
        }
    }

    Arch::new().dispatch(AddRows(lines, rows, factors))
}

/// `out[i] (+)= Σₚ factors[p][i] · lines[p * stride..]`, each `out` of one length, a multiple of 16.
pub(crate) fn weighted_sums(
    out: [&mut [f32]; 4],
    destination: Destination,
    factors: &[[f32; 4]],
    lines: &[f32],
    stride: usize,
) {
    struct WeightedSums<'a>([&'a mut [f32]; 4], Destination, &'a [[f32; 4]], &'a [f32], usize);

    impl WithSimd for WeightedSums<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(out, destination, factors, lines, stride) = self;
            let mut out = out.map(|out| S::as_mut_simd_f32s(out).0);
            // Two vectors of each row at a time, so that eight sums are under way.
            let count = out[0].len();
            for k in (0..count).step_by(2) {
                let next = (k + 1).min(count - 1);
                let mut sums = [[simd.splat_f32s(0.); 2]; 4];
                for (factors, line) in factors.iter().zip(lines.chunks(stride)) {
                    let line = S::as_simd_f32s(line).0;
                    let pair = [line[k], line[next]];
                    for i in 0..4 {
                        let factor = simd.splat_f32s(factors[i]);
                        for j in 0..2 {
                            sums[i][j] = simd.mul_add_f32s(pair[j], factor, sums[i][j]);
                        }
                    }
                }
                for (out, sums) in out.iter_mut().zip(sums) {
                    if destination == Destination::Replace {
                        (out[k], out[next]) = (sums[0], sums[1]);
                    } else {
                        out[k] = simd.add_f32s(out[k], sums[0]);
                        if next > k {
                            out[next] = simd.add_f32s(out[next], sums[1]);
                        }
                    }
                }
            }
        }
    }

    Arch::new().dispatch(WeightedSums(out, destination, factors, lines, stride))
}

#[inline(always)]
fn vectors<S: Simd, const N: usize>(rows: [&[f32]; N], count: usize) -> [&[S::f32s]; N] {
    rows.map(|row| &S::as_simd_f32s(row).0[..count])
}

//! Dropout whose mask is a function of a key, so that only the key is kept for the backward pass.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::floats::{slice, tensor, with_floats};
use crate::parallel::{for_each_chunk, zeros};
use crate::recording::{apply1, by_candle, contiguous};
use crate::route::{self, Route};

/// Inverted dropout (Srivastava et al., 2014): each element is set to 0 with probability `p`, the others are divided
/// by `1 - p`. Element i is kept where a counter-based generator (SplitMix64 at `key` and i) gives at least p, so the
/// same key gives the same mask on every device and for any number of threads.
///
/// # Shapes
/// Any; the result has that of `x`.
///
/// # Errors
/// When `p` is not in `0..1`.
pub fn dropout(x: &Tensor, p: f64, key: u64) -> Result<Tensor> {
    if !(0. ..1.).contains(&p) {
        bail!("dropout: the probability must be at least 0 and less than 1, found {p}")
    }
    let (threshold, scale) = (threshold(p), (1. / (1. - p)) as f32);
    match route::of_images(x, &[]) {
        Route::Cpu => apply1(&contiguous(x)?, Dropout { threshold, scale, key }),
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::dropout(x, threshold, scale, key),
        Route::Composed => by_candle(&[x], |t| crate::composed::dropout(&t[0], p, key)),
    }
}

/// The 24-bit number below which an element is dropped.
pub(crate) fn threshold(p: f64) -> u32 {
    (p * (1u64 << 24) as f64).ceil() as u32
}

/// 24 random bits of counter `i` (SplitMix64; Steele et al., 2014).
#[inline(always)]
pub(crate) fn bits(key: u64, i: u64) -> u32 {
    let mut z = key.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as u32
}

struct Dropout {
    threshold: u32,
    scale: f32,
    key: u64,
}

impl Dropout {
    fn mask(&self, x: &[f32]) -> Vec<f32> {
        let mut y = zeros(x.len());
        for_each_chunk(
            &mut y,
            #[inline(always)]
            |start, y| {
                for (i, (y, x)) in y.iter_mut().zip(&x[start..]).enumerate() {
                    *y =
                        if bits(self.key, (start + i) as u64) < self.threshold { 0. } else { x * self.scale };
                }
            },
        );
        y
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.mask(slice(x, xl)?)), xl.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        tensor(with_floats(dy, |dy| Ok(self.mask(dy)))?, dy.shape()).map(Some)
    }
}

//! Normal deviates whose bits depend on nothing but a key.

use candle_core::{Result, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::recording::{add, by_candle};
use crate::route::{self, Route};

/// Adds noise of this standard deviation to `x`: the [`standard_normals`] of `key` in the order of the elements, the same
/// on every device. CUDA draws them itself.
///
/// # Shapes
/// Any; the result has that of `x`.
///
/// # Errors
/// None on the CPU; on other devices those of the device.
pub fn normal_noise(x: &Tensor, deviation: f64, key: [u8; 32]) -> Result<Tensor> {
    match route::of_floats(&[x]) {
        #[cfg(feature = "cuda")]
        Route::Cuda => crate::cuda::normal_noise(x, deviation as f32, key),
        Route::Cpu => add(x, &deviates(x, deviation, key)?),
        Route::Composed => by_candle(&[x], |t| crate::composed::normal_noise(&t[0], deviation, key)),
    }
}

/// Noise shaped like `x`, on its device.
pub(crate) fn deviates(x: &Tensor, deviation: f64, key: [u8; 32]) -> Result<Tensor> {
    let draws = standard_normals(key, x.elem_count()).into_iter().map(|z| z as f32).collect::<Vec<_>>();
    Tensor::from_vec(draws, x.shape(), x.device())?.to_dtype(x.dtype())? * deviation
}

/// `count` draws from N(0, 1), from a ChaCha8 stream.
///
/// Marsaglia's polar method in f64 with a logarithm of our own: only operations that IEEE 754 rounds exactly, so that the
/// platform's mathematics library has no say in them, and a GPU can make the same.
pub fn standard_normals(key: [u8; 32], count: usize) -> Vec<f64> {
    let mut stream = ChaCha8Rng::from_seed(key);
    let mut draws = Vec::with_capacity(count + 1);
    while draws.len() < count {
        let (u, v) = (symmetric_uniform(stream.next_u64()), symmetric_uniform(stream.next_u64()));
        let s = u * u + v * v;
        if s > 0. && s < 1. {
            let f = (-2. * natural_log(s) / s).sqrt();
            draws.extend([u * f, v * f]);
        }
    }
    draws.truncate(count);
    draws
}

/// 53 random bits as a number in [-1, 1).
fn symmetric_uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.
}

/// ln(s) of a normal positive number: s = m 2^e with m in [1/sqrt 2, sqrt 2), ln m = 2 artanh((m - 1) / (m +
/// 1)).
fn natural_log(s: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const TERMS: i32 = 11;
    let mut exponent = (s.to_bits() >> 52) as i32 - 1023;
    let mut m = f64::from_bits((s.to_bits() & MANTISSA) | 1023 << 52);
    if m > std::f64::consts::SQRT_2 {
        m /= 2.;
        exponent += 1;
    }
    let z = (m - 1.) / (m + 1.);
    let series = (0..TERMS).rev().fold(0., |sum, k| sum * z * z + 1. / f64::from(2 * k + 1));
    2. * z * series + f64::from(exponent) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_agrees_with_the_platform() {
        for i in 1..2000 {
            let s = f64::from(i) / 1999.7;
            assert!((natural_log(s) - s.ln()).abs() < 1e-14, "ln {s}: {} {}", natural_log(s), s.ln());
            let s = f64::from(i) * 1e-33;
            assert!((natural_log(s) - s.ln()).abs() < 1e-13, "ln {s}");
        }
    }

    #[test]
    fn moments_are_those_of_a_normal() {
        let draws = standard_normals([7; 32], 100_001);
        assert_eq!(draws.len(), 100_001);
        let moment = |p: i32| draws.iter().map(|d| d.powi(p)).sum::<f64>() / draws.len() as f64;
        // Standard errors: 1, sqrt 2, sqrt 15, sqrt 96 over sqrt n = 316.
        for (p, expected, error) in [(1, 0., 1.), (2, 1., 1.42), (3, 0., 3.88), (4, 3., 9.8)] {
            assert!((moment(p) - expected).abs() < 4. * error / 316., "moment {p}: {}", moment(p));
        }
    }

    #[test]
    fn streams_of_different_keys_are_unrelated() {
        let a = standard_normals([0; 32], 10_000);
        let mut other = [0; 32];
        other[31] = 1;
        for b in [standard_normals([1; 32], 10_000), standard_normals(other, 10_000)] {
            let correlation = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / 10_000.;
            assert!(correlation.abs() < 0.04, "{correlation}");
        }
    }
}

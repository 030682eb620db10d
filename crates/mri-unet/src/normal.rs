//! Normal deviates whose bits depend on nothing but (seed, name).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// `count` draws from N(0, 1), from a ChaCha8 stream keyed by sha256(seed, name).
///
/// Marsaglia's polar method in f64 with a logarithm of our own: only operations that IEEE 754 rounds
/// exactly, so that the platform's mathematics library has no say in the weights.
pub fn standard_normals(seed: u64, name: &str, count: usize) -> Vec<f64> {
    let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name.as_bytes()).finalize();
    let mut stream = ChaCha8Rng::from_seed(key.into());
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
        let draws = standard_normals(7, "moments", 100_001);
        assert_eq!(draws.len(), 100_001);
        let moment = |p: i32| draws.iter().map(|d| d.powi(p)).sum::<f64>() / draws.len() as f64;
        // Standard errors: 1, sqrt 2, sqrt 15, sqrt 96 over sqrt n = 316.
        for (p, expected, error) in [(1, 0., 1.), (2, 1., 1.42), (3, 0., 3.88), (4, 3., 9.8)] {
            assert!((moment(p) - expected).abs() < 4. * error / 316., "moment {p}: {}", moment(p));
        }
    }

    #[test]
    fn streams_of_different_names_and_seeds_are_unrelated() {
        let a = standard_normals(1, "a", 10_000);
        for b in [standard_normals(1, "b", 10_000), standard_normals(2, "a", 10_000)] {
            let correlation = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / 10_000.;
            assert!(correlation.abs() < 0.04, "{correlation}");
        }
    }
}

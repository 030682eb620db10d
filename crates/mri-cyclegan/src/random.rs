//! Random numbers that depend on nothing but a seed, a purpose and an index.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

pub(crate) fn stream(seed: u64, purpose: &str, index: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(digest(seed, purpose, index))
}

pub(crate) fn key(seed: u64, purpose: &str, index: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = digest(seed, purpose, index);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The key of the noise on the generated images before they are cycled.
pub(crate) fn cycle_noise_key(seed: u64, index: u64) -> [u8; 32] {
    let name = format!("cycle-noise.{index}");
    Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize().into()
}

fn digest(seed: u64, purpose: &str, index: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(index.to_le_bytes())
        .chain_update(purpose.as_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first deviates of the noise number 3 of seed 7, by Python's hashlib and a ChaCha8 in Python:
    ///
    /// ```python
    /// key = hashlib.sha256(struct.pack("<Q", 7) + b"cycle-noise.3").digest()
    /// # of each 16 bytes: u, v = [(n >> 11) / 2**52 - 1 for n in struct.unpack("<QQ", them)]; s = u * u + v * v
    /// # where 0 < s < 1: f = math.sqrt(-2 * math.log(s) / s); normals += [u * f, v * f]
    /// ```
    #[test]
    fn the_noise_never_changes() {
        let expected = [
            -0.01695995757900925,
            -0.2192224995131801,
            -1.0279369746116502,
            1.8793973556277843,
            -1.072203743596195,
            -0.15304260865967767,
            1.4607297312831684,
            0.9991599550535729,
        ];
        let found = mri_kernels::standard_normals(cycle_noise_key(7, 3), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }
}

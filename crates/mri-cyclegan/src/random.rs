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

fn digest(seed: u64, purpose: &str, index: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(index.to_le_bytes())
        .chain_update(purpose.as_bytes())
        .finalize()
        .into()
}

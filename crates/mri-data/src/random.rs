//! Random numbers that depend on what they are for, and on nothing else.
//!
//! Each use draws from a ChaCha8 stream of its own, keyed by SHA-256 of (seed, purpose, index). So the order in which
//! things are made and the number of threads change nothing, and adding one use leaves the others as they were.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The stream for item `index` of `purpose` in the run with this `seed`. The same three give the same numbers on every
/// machine.
///
/// ```
/// use mri_data::random::stream;
/// use rand::Rng;
/// assert_eq!(stream(7, "order", 0).next_u64(), stream(7, "order", 0).next_u64());
/// assert_ne!(stream(7, "order", 0).next_u64(), stream(7, "order", 1).next_u64());
/// assert_ne!(stream(7, "order", 0).next_u64(), stream(7, "noise", 0).next_u64());
/// ```
pub fn stream(seed: u64, purpose: &str, index: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(index.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

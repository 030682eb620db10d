//! UIDs that follow from what they name, so that the same work gives the same files.

use sha2::{Digest, Sha256};

/// `2.25.` and 128 bits of a SHA-256 over the parts: unique without a registered root (PS3.5 annex B.2).
pub(super) fn uid_of(purpose: &str, parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in [b"mri-cyclegan", purpose.as_bytes()].iter().chain(parts) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let number =
        digest.finalize().iter().take(16).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    format!("2.25.{number}")
}

#[cfg(test)]
mod tests {
    use super::uid_of;

    #[test]
    fn same_parts_same_uid_and_never_longer_than_allowed() {
        assert_eq!(uid_of("a", &[b"b", b"c"]), uid_of("a", &[b"b", b"c"]));
        assert_ne!(uid_of("a", &[b"b", b"c"]), uid_of("a", &[b"bc", b""]));
        assert!((0..1000u32).all(|n| uid_of("a", &[&n.to_le_bytes()]).len() <= 64));
    }
}

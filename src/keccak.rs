//! Keccak-256 as devp2p uses it: the original padding, not that of the later SHA3-256 standard.

use sha3::{Digest, Keccak256};

/// Keccak-256 of the concatenated `parts`.
pub(crate) fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Keccak256::new();
    for part in parts {
        state.update(part);
    }
    state.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn uses_the_original_padding() {
        assert_eq!(
            HEXLOWER.encode(&keccak256(&[])),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(keccak256(&[b"ab", b"", b"c"]), keccak256(&[b"abc"]));
    }
}

//! Keccak-256 as devp2p uses it: the original padding, not that of the later SHA3-256 standard.
//!
//! The one place that knows which crate computes it: assembly with the feature `asm` on the
//! processors that have it, plain Rust otherwise.

#[cfg(all(feature = "asm", any(target_arch = "x86_64", target_arch = "aarch64")))]
use keccak_asm::{Digest, Keccak256 as State};
#[cfg(not(all(feature = "asm", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use sha3::{Digest, Keccak256 as State};

/// A state that goes on absorbing whenever its digest is looked at.
#[derive(Clone)]
pub(crate) struct Keccak256(State);

impl Keccak256 {
    pub(crate) fn new() -> Self {
        Self(State::new())
    }

    /// Absorbs `data`.
    pub(crate) fn update(&mut self, data: impl AsRef<[u8]>) {
        self.0.update(data);
    }

    /// As [`update`](Self::update), by value.
    pub(crate) fn chain(mut self, data: impl AsRef<[u8]>) -> Self {
        self.update(data);
        self
    }

    /// The digest of what was absorbed so far.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}

/// Keccak-256 of the concatenated `parts`.
pub(crate) fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Keccak256::new();
    for part in parts {
        state.update(part);
    }
    state.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    #[test]
    fn uses_the_original_padding() {
        assert_eq!(
            HEXLOWER.encode(&keccak256(&[])),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(keccak256(&[b"ab", b"", b"c"]), keccak256(&[b"abc"]));
    }

    proptest! {
        /// Whichever crate computes it, each running digest is what plain Rust computes. The
        /// lengths cross the boundaries of several blocks of 136 bytes.
        #[test]
        fn running_digests_are_those_of_plain_rust(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12)
        ) {
            let (mut state, mut plain) = (Keccak256::new(), sha3::Keccak256::default());
            for part in parts {
                state.update(&part);
                sha3::Digest::update(&mut plain, &part);
                let expected: [u8; 32] = sha3::Digest::finalize(plain.clone()).into();
                prop_assert_eq!(state.digest(), expected);
            }
        }
    }
}

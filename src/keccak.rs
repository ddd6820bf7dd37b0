//! Keccak-256 as devp2p uses it: the original padding, not that of the later SHA3-256 standard.
//!
//! Only this file knows which crate computes the hash. On x86-64 with the feature `vector`, it is
//! `peermux_crypto`, which computes digests side by side in vector registers. With the feature
//! `asm`, published assembly code computes the hash if such code exists for the processor.
//! Otherwise the hash is computed in plain Rust.

#[cfg(all(feature = "vector", target_arch = "x86_64"))]
pub(crate) use peermux_crypto::Keccak256;
#[cfg(not(all(feature = "vector", target_arch = "x86_64")))]
pub(crate) use sequential::Keccak256;

/// Computes one permutation after the other.
#[cfg(any(test, not(all(feature = "vector", target_arch = "x86_64"))))]
mod sequential {
    #[cfg(all(
        feature = "asm",
        target_arch = "aarch64",
        target_pointer_width = "64",
        any(unix, windows)
    ))]
    use keccak_asm::{Digest, Keccak256 as State};
    #[cfg(not(all(
        feature = "asm",
        target_arch = "aarch64",
        target_pointer_width = "64",
        any(unix, windows)
    )))]
    use sha3::{Digest, Keccak256 as State};

    /// A state that can absorb more data after each digest.
    #[derive(Clone)]
    pub(crate) struct Keccak256(State);

    impl Keccak256 {
        pub(crate) fn new() -> Self {
            Self(State::new())
        }

        /// Absorbs `data`.
        pub(crate) fn update(&mut self, data: &[u8]) {
            self.0.update(data);
        }

        /// The digest of everything absorbed so far.
        pub(crate) fn digest(&self) -> [u8; 32] {
            self.0.clone().finalize().into()
        }

        /// Returns the digest of everything absorbed so far, then absorbs `data`.
        pub(crate) fn digest_and_update(&mut self, data: &[u8]) -> [u8; 32] {
            let digest = self.digest();
            self.update(data);
            digest
        }

        /// Absorbs `data`, and returns the digests before and after it.
        pub(crate) fn digest_update_digest(&mut self, data: &[u8]) -> ([u8; 32], [u8; 32]) {
            (self.digest_and_update(data), self.digest())
        }
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

    /// One operation on a running state.
    #[derive(Debug, Clone)]
    enum Step {
        Update(Vec<u8>),
        DigestAndUpdate(Vec<u8>),
        DigestUpdateDigest(Vec<u8>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let data = || prop::collection::vec(any::<u8>(), 0..300);
        let step = prop_oneof![
            data().prop_map(Step::Update),
            data().prop_map(Step::DigestAndUpdate),
            data().prop_map(Step::DigestUpdateDigest),
        ];
        prop::collection::vec(step, 0..12)
    }

    macro_rules! digests {
        ($state:ty, $steps:expr) => {{
            let mut state = <$state>::new();
            let mut digests = Vec::new();
            for step in $steps {
                match step {
                    Step::Update(data) => state.update(data),
                    Step::DigestAndUpdate(data) => digests.push(state.digest_and_update(data)),
                    Step::DigestUpdateDigest(data) => {
                        let (before, after) = state.digest_update_digest(data);
                        digests.extend([before, after]);
                    }
                }
                digests.push(state.digest());
            }
            digests
        }};
    }

    /// Returns the digests that `digests!` should return, computed in plain Rust only.
    fn plain_digests(steps: &[Step]) -> Vec<[u8; 32]> {
        let mut state = sha3::Keccak256::default();
        let digest = |state: &sha3::Keccak256| sha3::Digest::finalize(state.clone()).into();
        let mut digests: Vec<[u8; 32]> = Vec::new();
        for step in steps {
            let (Step::Update(data) | Step::DigestAndUpdate(data) | Step::DigestUpdateDigest(data)) =
                step;
            if !matches!(step, Step::Update(_)) {
                digests.push(digest(&state));
            }
            sha3::Digest::update(&mut state, data);
            if matches!(step, Step::DigestUpdateDigest(_)) {
                digests.push(digest(&state));
            }
            digests.push(digest(&state));
        }
        digests
    }

    proptest! {
        /// Each running digest equals that of plain Rust, whichever crate computes it. The lengths
        /// cross the boundaries of several blocks of 136 bytes.
        #[test]
        fn running_digests_match_plain_rust(steps in steps()) {
            let plain = plain_digests(&steps);
            prop_assert_eq!(&digests!(Keccak256, &steps), &plain);
            prop_assert_eq!(&digests!(sequential::Keccak256, &steps), &plain);
        }
    }
}

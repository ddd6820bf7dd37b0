use std::fmt;

use peermux::RlpValue;
use sha3::{Digest, Keccak256};

/// A Keccak-256 hash of a block or transaction.
///
/// It is displayed in hex with the prefix `0x`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, RlpValue)]
#[rlp(transparent)]
pub struct Hash(
    /// The 32 bytes of the hash.
    pub [u8; 32],
);

impl Hash {
    /// Hashes some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Keccak256::digest(bytes).into())
    }

    /// Returns whether all bytes are zero, which means "no block".
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 32]
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

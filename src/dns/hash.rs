//! The hashes that name entries.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use super::{Domain, EntryError};
use crate::keccak::keccak256;
use crate::node::excerpt;

/// The first bytes of the Keccak-256 hash of an entry's text.
///
/// In base32 they are the entry's label below the [`Domain`] of its list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryHash {
    /// The bytes beyond `length` are 0.
    bytes: [u8; Self::MAX_LENGTH],
    length: usize,
}

impl EntryHash {
    /// The length of the hashes that this crate creates, in bytes.
    pub const LENGTH: usize = 16;
    /// The minimum length of a hash that is parsed, in bytes.
    pub const MIN_LENGTH: usize = 12;
    /// The maximum length of a hash that is parsed, in bytes: the whole digest.
    pub const MAX_LENGTH: usize = 32;

    /// The hash of an entry with this text, of [`LENGTH`](Self::LENGTH) bytes.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut bytes = keccak256(&[text.as_bytes()]);
        bytes[Self::LENGTH..].fill(0);
        Self {
            bytes,
            length: Self::LENGTH,
        }
    }

    /// The 12 to 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    /// Whether an entry with this text belongs under this hash.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        keccak256(&[text.as_bytes()]).starts_with(self.as_bytes())
    }

    /// The full name of the entry in the list of `domain`.
    #[must_use]
    pub fn name_in(&self, domain: &Domain) -> String {
        format!("{self}.{domain}")
    }

    /// The first 12 bytes, which hashes of every length contain. They distinguish entries.
    pub(super) fn key(&self) -> [u8; Self::MIN_LENGTH] {
        let mut key = [0; Self::MIN_LENGTH];
        key.copy_from_slice(&self.bytes[..Self::MIN_LENGTH]);
        key
    }
}

/// Parses base32 in capital letters without padding.
impl FromStr for EntryHash {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let invalid = || EntryError::Hash {
            found: excerpt(text),
        };
        let decoded = match text.len() {
            // 32 bytes take 52 characters.
            0..=52 => BASE32_NOPAD.decode(text.as_bytes()),
            _ => return Err(invalid()),
        };
        let decoded = decoded.map_err(|_| invalid())?;
        let length = decoded.len();
        let mut bytes = [0; Self::MAX_LENGTH];
        match bytes.get_mut(..length) {
            Some(place) if length >= Self::MIN_LENGTH => place.copy_from_slice(&decoded),
            _ => return Err(invalid()),
        }
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(self.as_bytes()))
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryHash({self})")
    }
}

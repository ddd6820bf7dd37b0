//! Names of lists of nodes in the DNS.

use std::fmt;
use std::str::FromStr;

use super::EntryError;
use crate::node::excerpt;

/// The name of a list of nodes in the DNS, such as `nodes.example.org`.
///
/// It has at most [`MAX_LENGTH`](Self::MAX_LENGTH) bytes, in labels of 1 to 63 letters, digits,
/// hyphens and underscores. Case does not matter, so the name is kept in lower case. A dot at the
/// end is dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// The maximum length of a name, in bytes.
    ///
    /// The DNS allows 253, of which an entry's hash and a dot take up to 53.
    pub const MAX_LENGTH: usize = 200;

    /// The name as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        let is_label = |label: &str| matches!(label.len(), 1..=63) && label.chars().all(is_part);
        if name.len() > Self::MAX_LENGTH || !name.split('.').all(is_label) {
            let found = excerpt(text);
            return Err(EntryError::Domain { found });
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

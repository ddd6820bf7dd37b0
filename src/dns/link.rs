//! Links to lists of nodes.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use super::{Domain, EntryError};
use crate::node::{KeyError, PublicKey, excerpt};

const PREFIX: &str = "enrtree://";

/// The length of a compressed key in base32.
const KEY_CHARACTERS: usize = 53;

/// Where a list of nodes is, and which key signs it.
///
/// The text of a link is `enrtree://`, the compressed key in base32, `@`, and the [`Domain`].
///
/// ```
/// use peermux::dns::Link;
///
/// let text = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@nodes.example.org";
/// let link: Link = text.parse()?;
/// assert_eq!(link.domain().as_str(), "nodes.example.org");
/// assert_eq!(link.to_string(), text);
/// # Ok::<(), peermux::dns::EntryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    domain: Domain,
    key: PublicKey,
}

impl Link {
    /// The link to the list that is at `domain` and signed by `key`.
    #[must_use]
    pub fn new(key: PublicKey, domain: Domain) -> Self {
        Self { domain, key }
    }

    /// The key that signs the list.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The name of the list.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    pub(super) fn is_text(text: &str) -> bool {
        text.starts_with(PREFIX)
    }
}

impl FromStr for Link {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let rest = text.strip_prefix(PREFIX);
        let rest = rest.ok_or_else(|| EntryError::Unknown {
            found: excerpt(text),
        })?;
        let (key, domain) = rest.split_once('@').ok_or(EntryError::NoKey)?;
        let key = match key.len() {
            0..=KEY_CHARACTERS => BASE32_NOPAD.decode(key.as_bytes()).ok(),
            _ => None,
        };
        let key = key.ok_or(EntryError::KeyBase32)?;
        let compressed = key.as_slice().try_into().map_err(|_| KeyError::Length {
            got: key.len(),
            expected: 33,
        });
        let key = compressed
            .and_then(PublicKey::from_compressed)
            .map_err(EntryError::Key)?;
        let domain = domain.parse()?;
        Ok(Self { domain, key })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE32_NOPAD.encode(&self.key.to_compressed());
        write!(f, "{PREFIX}{key}@{}", self.domain)
    }
}

#[cfg(feature = "serde")]
crate::serde_text::serde_as_text!(Link);

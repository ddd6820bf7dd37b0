//! The root of a list.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

use super::{EntryError, EntryHash, MAX_TEXT};
use crate::keccak::keccak256;
use crate::node::{KeyError, PublicKey, SecretKey, excerpt};

const PREFIX: &str = "enrtree-root:v1";

const SIGNATURE_LENGTH: usize = 65;

/// The root of a list, which names its two trees and signs them.
///
/// Its text is `enrtree-root:v1 e=<nodes> l=<links> seq=<number> sig=<signature>`, of which
/// everything before ` sig=` is signed. Parsing a root does not [verify](Self::verify) it.
#[derive(Clone, PartialEq, Eq)]
pub struct Root {
    nodes: EntryHash,
    links: EntryHash,
    seq: u64,
    signature: [u8; SIGNATURE_LENGTH],
}

impl Root {
    pub(super) fn signed(nodes: EntryHash, links: EntryHash, seq: u64, key: &SecretKey) -> Self {
        let digest = keccak256(&[content(nodes, links, seq).as_bytes()]);
        Self {
            nodes,
            links,
            seq,
            signature: key.sign_recoverable(&digest),
        }
    }

    pub(super) fn is_text(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Checks that the key has signed this root.
    ///
    /// Byte 65 of the signature serves to recover the key. This byte is ignored, since the key is
    /// known.
    ///
    /// # Errors
    /// [`EntryError::Signature`] if the key has not signed this root.
    pub fn verify(&self, key: &PublicKey) -> Result<(), EntryError> {
        let [signature @ .., _] = &self.signature;
        let content = content(self.nodes, self.links, self.seq);
        key.verify(signature, &keccak256(&[content.as_bytes()]))
            .map_err(|_: KeyError| EntryError::Signature)
    }

    /// The first entry of the tree of nodes.
    #[must_use]
    pub fn nodes(&self) -> EntryHash {
        self.nodes
    }

    /// The first entry of the tree of links.
    #[must_use]
    pub fn links(&self) -> EntryHash {
        self.links
    }

    /// The sequence number, which grows with each change of the list.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// The part of the text that is signed.
fn content(nodes: EntryHash, links: EntryHash, seq: u64) -> String {
    format!("{PREFIX} e={nodes} l={links} seq={seq}")
}

impl FromStr for Root {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        if text.len() > MAX_TEXT {
            return Err(EntryError::too_long(text));
        }
        let fields = text.strip_prefix(PREFIX);
        let fields = fields.ok_or_else(|| EntryError::Unknown {
            found: excerpt(text),
        })?;
        let mut fields = fields.split(' ').skip(1);
        let mut field = |name: &'static str| {
            let value = fields.next().and_then(|field| field.strip_prefix(name));
            value.ok_or(EntryError::Field { field: name })
        };
        let nodes = field("e=")?.parse()?;
        let links = field("l=")?.parse()?;
        let seq = sequence(field("seq=")?)?;
        let signature = signature(field("sig=")?)?;
        let root = Self {
            nodes,
            links,
            seq,
            signature,
        };
        // A root has only one valid text: the one that was signed.
        if root.to_string() == text {
            Ok(root)
        } else {
            Err(EntryError::RootSyntax)
        }
    }
}

fn sequence(text: &str) -> Result<u64, EntryError> {
    text.parse().map_err(|_| EntryError::Sequence {
        found: excerpt(text),
    })
}

fn signature(text: &str) -> Result<[u8; SIGNATURE_LENGTH], EntryError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| EntryError::SignatureBase64)?;
    let got = bytes.len();
    bytes.try_into().map_err(|_| EntryError::SignatureLength {
        got,
        expected: SIGNATURE_LENGTH,
    })
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = content(self.nodes, self.links, self.seq);
        let signature = BASE64URL_NOPAD.encode(&self.signature);
        write!(f, "{content} sig={signature}")
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root")
            .field("nodes", &self.nodes)
            .field("links", &self.links)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

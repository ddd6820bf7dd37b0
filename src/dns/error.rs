//! What can be wrong with a list.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::{EntryHash, MAX_TEXT};
use crate::node::{KeyError, NodeId, RecordError};

/// Why a text is no link, no name, no root or no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The text is longer than [`MAX_TEXT`].
    #[error("an entry of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// Its length in bytes.
        got: usize,
        /// The longest that is allowed.
        limit: usize,
    },
    /// The text does not begin as an entry of this kind does.
    #[error("no entry begins with {found:?}")]
    Unknown {
        /// The beginning of the text.
        found: String,
    },
    /// The name in the DNS is too long, or has a part that no such name has.
    #[error("{found:?} is no name in the DNS for a list of nodes")]
    Domain {
        /// The name.
        found: String,
    },
    /// The link has no key.
    #[error("the link has no public key with an @ behind it")]
    NoKey,
    /// The link's key is not base32 in capital letters without padding, or too long.
    #[error("the link's public key is not the base32 of 33 bytes")]
    KeyBase32,
    /// The link's key is no public key.
    #[error("the link has an invalid public key: {0}")]
    Key(#[source] KeyError),
    /// A hash is not base32 in capital letters without padding, of 12 to 32 bytes.
    #[error("{found:?} is not the base32 of 12 to 32 bytes")]
    Hash {
        /// The hash.
        found: String,
    },
    /// The root has no such field at its place.
    #[error("the root has no {field} where it belongs")]
    Field {
        /// The field's beginning.
        field: &'static str,
    },
    /// The root's sequence number is no number of 64 bits.
    #[error("the root has the sequence number {found:?}")]
    Sequence {
        /// The number.
        found: String,
    },
    /// The root is not written in the one way that there is.
    #[error("the root is not written as roots are")]
    RootSyntax,
    /// The root's signature is not base64 for URLs without padding.
    #[error("the root's signature is not URL-safe base64 without padding")]
    SignatureBase64,
    /// The root's signature is of a wrong length.
    #[error("the root has a signature of {got} bytes instead of {expected}")]
    SignatureLength {
        /// Its length in bytes.
        got: usize,
        /// The right one.
        expected: usize,
    },
    /// The root is not signed by the key of the link.
    #[error("the root's signature is not one of the link's key")]
    Signature,
    /// The node's record is not valid.
    #[error("the node record is not valid: {0}")]
    Record(#[source] RecordError),
}

impl EntryError {
    pub(super) fn too_long(text: &str) -> Self {
        Self::TooLong {
            got: text.len(),
            limit: MAX_TEXT,
        }
    }
}

/// Why no tree can be made of some nodes and links.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A node's record has a port that is none. Others could not read it.
    #[error("the record of node {node} has a value under {key:?} that is no port")]
    Port {
        /// The node.
        node: NodeId,
        /// The port's key.
        key: &'static str,
    },
}

/// Why a name could not be looked up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no such name, or it has no text.
    #[error("there is no text under this name")]
    NotFound,
    /// No answer came within the time for a lookup.
    #[error("no answer came within {limit:?}")]
    TimedOut {
        /// The time.
        limit: Duration,
    },
    /// The resolver failed.
    #[error("the resolver failed: {0}")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
}

impl LookupError {
    /// The failure of a resolver.
    pub fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// What went wrong at one name of a list. Nothing else of the list, and no other list, stops for it.
///
/// `name` is the full name in the DNS, which ends with the list's [`Domain`](super::Domain).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The name could not be looked up.
    #[error("{name}: the lookup failed: {source}")]
    Lookup {
        /// The name.
        name: String,
        /// Why.
        source: LookupError,
    },
    /// None of the texts at the list's name is a root.
    #[error("{name}: there is no root of a list")]
    NoRoot {
        /// The name.
        name: String,
    },
    /// None of the texts at an entry's name is an entry.
    #[error("{name}: there is no entry of a list")]
    NoEntry {
        /// The name.
        name: String,
    },
    /// An entry or a root is not valid.
    #[error("{name}: the entry is not valid: {source}")]
    Invalid {
        /// The name.
        name: String,
        /// Why.
        source: EntryError,
    },
    /// The entry is not the one that its name says.
    #[error("{name}: the entry there has the hash {found}")]
    WrongHash {
        /// The name.
        name: String,
        /// The hash of the entry that is there.
        found: EntryHash,
    },
    /// The root is older than one that was seen.
    #[error("{name}: the root has sequence number {got}, after {known}")]
    OldRoot {
        /// The name.
        name: String,
        /// The root's sequence number.
        got: u64,
        /// The highest that was seen.
        known: u64,
    },
    /// A node stands in the tree of links.
    #[error("{name}: a node in the tree of links")]
    NodeAmongLinks {
        /// The name.
        name: String,
    },
    /// A link stands in the tree of nodes.
    #[error("{name}: a link in the tree of nodes")]
    LinkAmongNodes {
        /// The name.
        name: String,
    },
    /// A branch names an entry that the tree has named before. It is read once.
    #[error("{name}: the branch names {child}, which the tree has named before")]
    Repeated {
        /// The branch's name.
        name: String,
        /// The entry.
        child: EntryHash,
    },
    /// What a branch names would be too deep in the tree. It is left out.
    #[error("{name}: the branch is {limit} below the root, and what it names would be too deep")]
    TooDeep {
        /// The branch's name.
        name: String,
        /// The greatest depth of an entry, where that of the tree's first is 0.
        limit: usize,
    },
    /// The tree has too many entries. The rest is left out.
    #[error("{name}: the tree has more than {limit} entries")]
    TooManyEntries {
        /// The name of the branch that has one too many.
        name: String,
        /// How many may be read.
        limit: usize,
    },
    /// The tree's texts have too many bytes. The rest is left out.
    #[error("{name}: the tree has more than {limit} bytes")]
    TooManyBytes {
        /// The name of the entry with which it has.
        name: String,
        /// How many may be read.
        limit: usize,
    },
    /// There is a link to a further list, and there are enough. It is not followed.
    #[error("{name}: a link to a further list, where {limit} are read")]
    TooManyTrees {
        /// The link's name.
        name: String,
        /// How many lists are read.
        limit: usize,
    },
    /// The list was not read within the time for that. The rest is left out.
    #[error("{name}: the list was not read within {limit:?}")]
    TimeUp {
        /// The list's name.
        name: String,
        /// The time.
        limit: Duration,
    },
}

impl DnsError {
    /// The full name in the DNS that the error is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Lookup { name, .. }
            | Self::NoRoot { name }
            | Self::NoEntry { name }
            | Self::Invalid { name, .. }
            | Self::WrongHash { name, .. }
            | Self::OldRoot { name, .. }
            | Self::NodeAmongLinks { name }
            | Self::LinkAmongNodes { name }
            | Self::Repeated { name, .. }
            | Self::TooDeep { name, .. }
            | Self::TooManyEntries { name, .. }
            | Self::TooManyBytes { name, .. }
            | Self::TooManyTrees { name, .. }
            | Self::TimeUp { name, .. } => name,
        }
    }
}

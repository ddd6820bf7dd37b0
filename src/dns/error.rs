//! The errors of lists.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::{EntryHash, MAX_TEXT};
use crate::node::{KeyError, NodeId, RecordError};

/// Why a text is not a valid link, name, root or entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The text is longer than [`MAX_TEXT`].
    #[error("an entry of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The text's length in bytes.
        got: usize,
        /// The maximum length.
        limit: usize,
    },
    /// The text does not begin like an entry of the expected kind.
    #[error("no entry begins with {found:?}")]
    Unknown {
        /// The beginning of the text.
        found: String,
    },
    /// The name is too long, or not a valid name in the DNS.
    #[error("{found:?} is not a valid DNS name for a list of nodes")]
    Domain {
        /// The name.
        found: String,
    },
    /// The link has no key.
    #[error("the link has no public key followed by @")]
    NoKey,
    /// The link's key is too long, or not base32 in capital letters without padding.
    #[error("the link's public key is not the base32 of 33 bytes")]
    KeyBase32,
    /// The link's key is not a valid public key.
    #[error("the link has an invalid public key: {0}")]
    Key(#[source] KeyError),
    /// A hash is not 12 to 32 bytes in base32, in capital letters without padding.
    #[error("{found:?} is not the base32 of 12 to 32 bytes")]
    Hash {
        /// The hash.
        found: String,
    },
    /// The root lacks this field, or the field is in the wrong position.
    #[error("the root is missing the field {field}")]
    Field {
        /// The beginning of the field.
        field: &'static str,
    },
    /// The root's sequence number is not a 64-bit number.
    #[error("the root has an invalid sequence number {found:?}")]
    Sequence {
        /// The number.
        found: String,
    },
    /// The root is not in its canonical form.
    #[error("the root is not in its canonical form")]
    RootSyntax,
    /// The root's signature is not base64 for URLs without padding.
    #[error("the root's signature is not URL-safe base64 without padding")]
    SignatureBase64,
    /// The root's signature has the wrong length.
    #[error("the root has a signature of {got} bytes instead of {expected}")]
    SignatureLength {
        /// The signature's length in bytes.
        got: usize,
        /// The expected length.
        expected: usize,
    },
    /// The root is not signed by the key of the link.
    #[error("the root is not signed by the link's key")]
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

/// Why no tree can be made from the given nodes and links.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A node's record contains an invalid port, so others could not read the record.
    #[error("the record of node {node} has a value under {key:?} that is not a port")]
    Port {
        /// The node.
        node: NodeId,
        /// The key of the port in the record.
        key: &'static str,
    },
}

/// Why a name could not be looked up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no such name, or it has no TXT record.
    #[error("there is no text under this name")]
    NotFound,
    /// No answer arrived within the time limit for a lookup.
    #[error("no answer arrived within {limit:?}")]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The resolver failed.
    #[error("the resolver failed: {0}")]
    Failed(#[source] Arc<dyn Error + Send + Sync>),
}

impl LookupError {
    /// Wraps the error of a resolver.
    pub fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// An error at one name of a list.
///
/// After such an error, the other names and the other lists are still read, unless a limit is
/// reached.
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
        /// The reason.
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
        /// The reason.
        source: EntryError,
    },
    /// The entry's hash is not the one in its name.
    #[error("{name}: the entry there has the hash {found}")]
    WrongHash {
        /// The name.
        name: String,
        /// The hash of the entry that is there.
        found: EntryHash,
    },
    /// The list's root is older than one that was seen before.
    #[error("{name}: the root has sequence number {got}, after {known}")]
    OldRoot {
        /// The name.
        name: String,
        /// The root's sequence number.
        got: u64,
        /// The highest sequence number that was seen.
        known: u64,
    },
    /// A node is in the tree of links.
    #[error("{name}: a node is in the tree of links")]
    NodeAmongLinks {
        /// The name.
        name: String,
    },
    /// A link is in the tree of nodes.
    #[error("{name}: a link is in the tree of nodes")]
    LinkAmongNodes {
        /// The name.
        name: String,
    },
    /// A branch names an entry that the tree has named before. The entry is read only once.
    #[error("{name}: the branch names {child}, which the tree has named before")]
    Repeated {
        /// The branch's name.
        name: String,
        /// The entry.
        child: EntryHash,
    },
    /// The entries of a branch are left out, because they would be too deep.
    #[error("{name}: the entries of the branch would be more than {limit} levels deep")]
    TooDeep {
        /// The branch's name.
        name: String,
        /// The maximum depth of an entry; the tree's first entry has depth 0.
        limit: usize,
    },
    /// The tree has too many entries. Those beyond the limit are left out.
    #[error("{name}: the tree has more than {limit} entries")]
    TooManyEntries {
        /// The name of the branch that exceeds the limit.
        name: String,
        /// How many entries may be read.
        limit: usize,
    },
    /// The tree's texts have too many bytes. The entries beyond the limit are left out.
    #[error("{name}: the tree has more than {limit} bytes")]
    TooManyBytes {
        /// The name of the entry that exceeds the limit.
        name: String,
        /// How many bytes may be read.
        limit: usize,
    },
    /// A link to another list is not followed, since the limit of lists is reached.
    #[error("{name}: the link is not followed, since {limit} lists are the limit")]
    TooManyTrees {
        /// The link's name.
        name: String,
        /// How many lists may be read.
        limit: usize,
    },
    /// The list was not read in time. Entries that were not read by then are left out.
    #[error("{name}: the list was not read within {limit:?}")]
    TimeUp {
        /// The list's name.
        name: String,
        /// The time limit.
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

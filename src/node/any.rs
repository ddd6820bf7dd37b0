//! Nodes as text: enode URLs and node records.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::excerpt::excerpt;
use super::{Endpoint, Enode, EnodeError, NodeId, NodeRecord, PublicKey, RecordError};

/// A node, as an enode URL or as a node record.
///
/// The beginning of the text selects the form. Unlike [`Enode`], a `Node` is not parsed from a bare
/// public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Text that begins with `enode://`.
    Enode(Enode),
    /// Text that begins with `enr:`.
    Record(NodeRecord),
}

impl Node {
    /// The node's static key.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Self::Enode(enode) => enode.public_key(),
            Self::Record(record) => record.public_key(),
        }
    }

    /// The node's id, the hash of its key.
    pub fn node_id(&self) -> NodeId {
        self.public_key().node_id()
    }

    /// The node's endpoint, if known; for a record see [`NodeRecord::endpoint`].
    pub fn endpoint(&self) -> Option<Cow<'_, Endpoint>> {
        match self {
            Self::Enode(enode) => enode.endpoint().map(Cow::Borrowed),
            Self::Record(record) => record.endpoint().map(Cow::Owned),
        }
    }

    /// The record's sequence number; 0 for an enode URL, so that any record is newer.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Enode(_) => 0,
            Self::Record(record) => record.seq(),
        }
    }

    /// Returns the key and the endpoint as an enode.
    pub fn to_enode(&self) -> Enode {
        match self {
            Self::Enode(enode) => enode.clone(),
            Self::Record(record) => record.to_enode(),
        }
    }
}

impl From<Enode> for Node {
    fn from(enode: Enode) -> Self {
        Self::Enode(enode)
    }
}

impl From<NodeRecord> for Node {
    fn from(record: NodeRecord) -> Self {
        Self::Record(record)
    }
}

impl From<Node> for Enode {
    fn from(node: Node) -> Self {
        match node {
            Node::Enode(enode) => enode,
            Node::Record(record) => record.to_enode(),
        }
    }
}

/// Why a text does not describe a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The text begins with neither `enode://` nor `enr:`.
    #[error("node {text:?} begins with neither \"enode://\" nor \"enr:\"")]
    UnknownForm {
        /// The beginning of the text.
        text: String,
    },
    /// The enode URL is invalid.
    #[error(transparent)]
    Enode(#[from] EnodeError),
    /// The node record is invalid.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl FromStr for Node {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("enode://") {
            Ok(Self::Enode(text.parse()?))
        } else if text.starts_with("enr:") {
            Ok(Self::Record(text.parse()?))
        } else {
            Err(NodeError::UnknownForm {
                text: excerpt(text),
            })
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enode(enode) => enode.fmt(f),
            Self::Record(record) => record.fmt(f),
        }
    }
}

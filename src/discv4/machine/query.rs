//! What waits for an answer.

use tokio::time::Instant;

use crate::discv4::contact::Contact;
use crate::discv4::packet::PacketHash;
use crate::node::PublicKey;

/// A Ping that waits for its Pong.
#[derive(Debug)]
pub(super) struct PendingPing {
    pub(super) contact: Contact,
    pub(super) deadline: Instant,
    /// When the node pinged us meanwhile.
    pub(super) pinged: Option<Instant>,
}

/// What a node is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    /// The nodes nearest to a target, for a lookup.
    Nodes {
        lookup: u64,
        target: [u8; PublicKey::LENGTH],
    },
    /// Its record, for a caller or for the table.
    Record { request: Option<u64> },
}

/// How far a query is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The node is being asked by another lookup: answers do not say which question they belong to.
    Queued,
    /// We pinged the node, as it may want a proof of us.
    Proving,
    /// The node answered, and is about to ping us if it wants a proof.
    AwaitingPing,
    /// We asked.
    Asked {
        hash: PacketHash,
        /// For the second time: a packet may get lost, or overtake the proof that it needs.
        again: bool,
        answered: bool,
        nodes: Vec<Contact>,
    },
}

/// A question to a node.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) contact: Contact,
    pub(super) want: Want,
    pub(super) stage: Stage,
    pub(super) deadline: Instant,
}

impl Query {
    pub(super) fn wants_nodes(&self) -> bool {
        matches!(self.want, Want::Nodes { .. })
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self.stage, Stage::Asked { .. })
    }

    /// Whether this packet of ours asked it.
    pub(super) fn has_hash(&self, asked: &PacketHash) -> bool {
        matches!(&self.stage, Stage::Asked { hash, .. } if hash == asked)
    }
}

//! Pending Pings and queries.

use tokio::time::Instant;

use crate::discv4::contact::Contact;
use crate::discv4::packet::PacketHash;
use crate::node::PublicKey;

/// A Ping that waits for its Pong.
#[derive(Debug)]
pub(super) struct PendingPing {
    pub(super) contact: Contact,
    pub(super) deadline: Instant,
    /// When the node pinged us, if it did so before its Pong arrived.
    pub(super) pinged: Option<Instant>,
}

/// What a query asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    /// The nodes nearest to a target, for a lookup.
    Nodes {
        lookup: u64,
        target: [u8; PublicKey::LENGTH],
    },
    /// The node's record, for a caller or for the table.
    Record { request: Option<u64> },
}

/// The progress of a query.
#[derive(Debug)]
pub(super) enum Stage {
    /// Another lookup's query to the node is in progress.
    ///
    /// `Neighbors` packets do not identify their request, so a node may have only one such
    /// request at a time.
    Queued,
    /// We pinged the node, since it may need a proof of our endpoint.
    Proving,
    /// The node answered our Ping, and pings us next if it needs a proof.
    AwaitingPing,
    /// We sent the request.
    Asked {
        hash: PacketHash,
        /// Whether this is the second attempt.
        ///
        /// A second attempt is needed because the first packet may be lost, or may overtake the
        /// proof that it needs.
        again: bool,
        answered: bool,
        nodes: Vec<Contact>,
    },
}

/// A query to a node.
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

    /// Returns whether our packet with this hash carried the query.
    pub(super) fn has_hash(&self, asked: &PacketHash) -> bool {
        matches!(&self.stage, Stage::Asked { hash, .. } if hash == asked)
    }
}

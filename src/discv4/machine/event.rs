//! What a machine tells.

use std::net::SocketAddr;

use crate::discv4::contact::Contact;
use crate::discv4::error::Discv4Error;
use crate::node::{NodeId, NodeRecord};

/// Names a lookup or another request in the event that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A node that has proven to be where it says, or whose record was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The node.
    pub contact: Contact,
    /// Its record, in the second case.
    pub record: Option<NodeRecord>,
}

/// As whom another node sees us: what the sender of a Pong says about where our Ping came from.
///
/// One node may lie. Count the statements of nodes of different networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// Our address and port as the other node sees them.
    pub seen_as: SocketAddr,
    /// The node that says so.
    pub by: NodeId,
    /// Where that node is.
    pub at: SocketAddr,
}

/// What a lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookupDone {
    /// The nodes nearest to the target that answered, the nearest first, at most 16.
    pub nodes: Vec<Contact>,
    /// How many nodes were asked, in groups of the three that are asked at a time.
    pub rounds: usize,
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A node was found.
    Found(Found),
    /// A node said where it sees us.
    Observed(Observation),
    /// A lookup of the caller ended.
    LookupDone(RequestId, LookupDone),
    /// A request of the caller for a record ended.
    RecordDone(RequestId, Result<NodeRecord, Discv4Error>),
}

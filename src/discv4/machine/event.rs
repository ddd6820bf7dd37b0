//! Events of a machine.

use std::net::SocketAddr;

use crate::discv4::contact::Contact;
use crate::discv4::error::Discv4Error;
use crate::node::{NodeId, NodeRecord};

/// Identifies a lookup or a record request in the event that reports its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A node that has proven its endpoint, or whose record was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The node.
    pub contact: Contact,
    /// The node's record, if it was fetched.
    pub record: Option<NodeRecord>,
}

/// The address at which another node sees us, according to its Pong.
///
/// A node may lie, so compare the reports of nodes in different networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// Our address and port as the other node sees them.
    pub seen_as: SocketAddr,
    /// The node that reports this.
    pub by: NodeId,
    /// That node's address.
    pub at: SocketAddr,
}

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookupDone {
    /// The answering nodes that are nearest to the target: at most 16, the nearest first.
    pub nodes: Vec<Contact>,
    /// Number of groups of three nodes that were asked.
    pub rounds: usize,
}

/// An event of a machine.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A node was found.
    Found(Found),
    /// A node reported the address at which it sees us.
    Observed(Observation),
    /// A lookup that the caller started has ended.
    LookupDone(RequestId, LookupDone),
    /// A record request that the caller made has ended.
    RecordDone(RequestId, Result<NodeRecord, Discv4Error>),
}

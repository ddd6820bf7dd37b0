//! Why a request has no result.

use std::io;
use std::net::SocketAddr;

use crate::node::NodeId;
use crate::runtime::RuntimeError;

/// Why something that was asked of discovery has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Discv4Error {
    /// There is no runtime here that can serve it.
    #[error("discovery does not start: {0}")]
    Runtime(#[from] RuntimeError),
    /// The address cannot be bound.
    #[error("cannot bind {addr} for discovery: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The socket that was handed over cannot be used.
    #[error("the socket for discovery cannot be used: {0}")]
    Socket(#[source] io::Error),
    /// The record that the node is to have is not its key's.
    #[error("the record is of node {record}, the key of node {key}")]
    ForeignRecord {
        /// Whose record it is.
        record: NodeId,
        /// Whose key.
        key: NodeId,
    },
    /// A record is not newer than that which it is to replace.
    #[error("the record has the sequence number {got}, and the present one {present}")]
    OldRecord {
        /// The number that it has.
        got: u64,
        /// The number of the present record.
        present: u64,
    },
    /// Discovery has ended.
    #[error("discovery has ended")]
    Stopped,
    /// As many requests of this kind are under way as there may be.
    #[error("{limit} requests of this kind are under way, which is the most")]
    Busy {
        /// How many there may be.
        limit: usize,
    },
    /// The node does not say where it is, or takes no part in discovery.
    #[error("node {id} has no address for discovery")]
    NoAddress {
        /// The node.
        id: NodeId,
    },
    /// The node did not answer in time.
    #[error("node {id} at {addr} does not answer")]
    NoAnswer {
        /// The node.
        id: NodeId,
        /// Where it was asked.
        addr: SocketAddr,
    },
    /// The node answered with a record that is another node's, or that names an address which it may not
    /// give to us.
    #[error("node {id} at {addr} answers with a record that cannot be its own")]
    BadRecord {
        /// The node.
        id: NodeId,
        /// Where it was asked.
        addr: SocketAddr,
    },
    /// No node that was asked knows the node.
    #[error("node {id} is not found")]
    NotFound {
        /// The node.
        id: NodeId,
    },
}

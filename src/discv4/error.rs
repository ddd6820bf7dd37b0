//! Errors of discovery.

use std::io;
use std::net::SocketAddr;

use crate::node::NodeId;
use crate::runtime::RuntimeError;

/// Why a request to discovery failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Discv4Error {
    /// There is no suitable tokio runtime.
    #[error("cannot start discovery: {0}")]
    Runtime(#[from] RuntimeError),
    /// The address cannot be bound.
    #[error("cannot bind {addr} for discovery: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// The given socket cannot be used.
    #[error("the socket for discovery cannot be used: {0}")]
    Socket(#[source] io::Error),
    /// The record does not belong to the node's key.
    #[error("the record belongs to node {record}, the key to node {key}")]
    ForeignRecord {
        /// The record's node.
        record: NodeId,
        /// The key's node.
        key: NodeId,
    },
    /// The record is not newer than the present one.
    #[error("the record has sequence number {got}, which is not above the present {present}")]
    OldRecord {
        /// The sequence number of the rejected record.
        got: u64,
        /// The sequence number of the present record.
        present: u64,
    },
    /// Discovery has ended.
    #[error("discovery has ended")]
    Stopped,
    /// The maximum number of concurrent requests of this kind is reached.
    #[error("the limit of {limit} concurrent requests of this kind is reached")]
    Busy {
        /// The maximum.
        limit: usize,
    },
    /// The node has no known address, or takes no part in discovery.
    #[error("node {id} has no address for discovery")]
    NoAddress {
        /// The node.
        id: NodeId,
    },
    /// The node did not answer in time.
    #[error("node {id} at {addr} did not answer")]
    NoAnswer {
        /// The node.
        id: NodeId,
        /// The address at which the node was asked.
        addr: SocketAddr,
    },
    /// The node answered with a record that is not acceptable.
    ///
    /// The record belongs to another node, or contains an address that we do not accept from this
    /// node, such as a private address from a node with a public one.
    #[error("node {id} at {addr} answered with a record that cannot be its own")]
    BadRecord {
        /// The node.
        id: NodeId,
        /// The address at which the node was asked.
        addr: SocketAddr,
    },
    /// The lookup did not find the node, or the node did not answer the lookup.
    #[error("node {id} is not found")]
    NotFound {
        /// The node.
        id: NodeId,
    },
}

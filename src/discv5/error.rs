use std::io;

use crate::node::{NodeId, RecordError};

/// Errors of Discovery v5.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Discv5Error {
    /// Neither an IPv4 nor an IPv6 socket was given.
    #[error("no socket for discovery")]
    NoSocket,
    /// The node's own record belongs to another node's key.
    #[error("the record belongs to node {of}, not to {own}")]
    ForeignRecord {
        /// The record's node.
        of: NodeId,
        /// The node.
        own: NodeId,
    },
    /// The record of this node cannot be used.
    #[error("the record of {node} cannot be used for discovery: {why}")]
    Record {
        /// The record's node.
        node: NodeId,
        /// What is wrong with it.
        why: String,
    },
    /// A record from another node is invalid.
    #[error("found an invalid record: {0}")]
    Found(#[from] RecordError),
    /// There is no tokio runtime with timers and I/O.
    #[error(transparent)]
    Runtime(#[from] crate::runtime::RuntimeError),
    /// The system reported an error.
    #[error("the socket for discovery failed: {0}")]
    Io(#[from] io::Error),
    /// Discovery has ended.
    #[error("discovery has ended")]
    Ended,
    /// A node did not answer in time.
    #[error("{node} did not answer")]
    TimedOut {
        /// The node.
        node: NodeId,
    },
    /// A request failed for another reason.
    #[error("the request to {node} failed: {why}")]
    Request {
        /// The node.
        node: NodeId,
        /// What went wrong.
        why: String,
    },
}

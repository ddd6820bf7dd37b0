use std::io;

use crate::node::{NodeId, RecordError};

/// Why Discovery v5 did not start, or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Discv5Error {
    /// Neither an IPv4 nor an IPv6 socket was given.
    #[error("no socket for discovery")]
    NoSocket,
    /// The node's own record is signed with another key than the node's.
    #[error("the record is one of {of}, and the node is {own}")]
    ForeignRecord {
        /// Whose record it is.
        of: NodeId,
        /// The node.
        own: NodeId,
    },
    /// A record of this node says nothing that can be used.
    #[error("the record of {node} is of no use for discovery: {why}")]
    Record {
        /// Whose it is.
        node: NodeId,
        /// What is wrong with it.
        why: String,
    },
    /// A record that another node gave breaks a rule.
    #[error("a record that was found: {0}")]
    Found(#[from] RecordError),
    /// There is no tokio runtime with timers and input and output.
    #[error(transparent)]
    Runtime(#[from] crate::runtime::RuntimeError),
    /// The system refused something.
    #[error("the socket for discovery: {0}")]
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
    /// A request failed otherwise.
    #[error("the request to {node}: {why}")]
    Request {
        /// The node.
        node: NodeId,
        /// What went wrong.
        why: String,
    },
}

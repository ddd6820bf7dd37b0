use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::fault::Fault;
use crate::node::NodeId;
use crate::p2p::{Capability, DisconnectReason, MatchError};
use crate::setup::SetupError;
use crate::stage::Stage;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// One capability is registered twice.
    #[error("protocol {0} is registered twice")]
    DuplicateProtocol(Capability),
    /// The protocols' message codes do not fit into 64 bits.
    #[error(transparent)]
    Lengths(#[from] MatchError),
    /// The Hello with all these protocols is larger than any node accepts.
    #[error("the Hello message takes {size} bytes, remotes accept at most {limit}")]
    HelloTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit, 2048 bytes.
        limit: usize,
    },
}

/// Why a node was not connected to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The enode URL names no address, or TCP port 0.
    #[error("{id} has no TCP endpoint to dial")]
    NoEndpoint {
        /// The node that was to be dialled.
        id: NodeId,
    },
    /// The host name cannot be resolved.
    #[error("cannot resolve {host} of {id}: {source}")]
    Resolve {
        /// The node that was to be dialled.
        id: NodeId,
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// No TCP connection came about.
    #[error("cannot connect to {id}{}: {source}", at(.addr))]
    Connect {
        /// The node that was to be dialled.
        id: NodeId,
        /// Where, unless a name was never resolved.
        addr: Option<SocketAddr>,
        /// What the system said; `TimedOut` after 15 s.
        source: io::Error,
    },
    /// The connection was not set up.
    #[error("no connection with {id}{}: {source}", at(.addr))]
    Setup {
        /// The node that was dialled.
        id: NodeId,
        /// Where, if the transport has addresses.
        addr: Option<SocketAddr>,
        /// What went wrong.
        source: Box<SetupError>,
    },
    /// This side does not want the connection: it is its own node, a connected one, or one too
    /// many.
    #[error("not dialling {id}: {reason}")]
    Unwanted {
        /// The node that was to be dialled.
        id: NodeId,
        /// Why not.
        reason: DisconnectReason,
    },
}

fn at(addr: &Option<SocketAddr>) -> String {
    addr.map_or_else(String::new, |addr| format!(" at {addr}"))
}

impl DialError {
    /// The stage at which it happened.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Setup { source, .. } => source.stage(),
            _ => Stage::Dial,
        }
    }

    /// Who is at fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoEndpoint { .. } | Self::Unwanted { .. } => Fault::Local,
            Self::Resolve { .. } | Self::Connect { .. } => Fault::Io,
            Self::Setup { source, .. } => source.fault(),
        }
    }

    /// The reason that travelled in a Disconnect, in either direction, or why the node was not
    /// dialled at all; `None` if there is none.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Unwanted { reason, .. } => Some(*reason),
            Self::Setup { source, .. } => source.reason(),
            _ => None,
        }
    }
}

/// Peers were still there when the deadline of a shutdown passed; they were aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{tasks} connections did not end within {deadline:?} and were aborted")]
#[non_exhaustive]
pub struct ShutdownTimedOut {
    /// How many connections were aborted.
    pub tasks: usize,
    /// The deadline.
    pub deadline: Duration,
}

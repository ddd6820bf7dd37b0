use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{EntryError, NatNotBuilt};
use crate::connmgr::{ConnectError, ManagerError, Refusal};
use crate::fault::Fault;
use crate::node::{Endpoint, Enode, NodeId};
use crate::p2p::{Capability, DisconnectReason, MatchError};
use crate::peer::Peer;
use crate::runtime::RuntimeError;
use crate::settings::TooSmall;
use crate::setup::SetupError;
use crate::stage::Stage;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The server cannot listen on the address.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A capability is registered twice.
    #[error("protocol {0} is registered twice")]
    DuplicateProtocol(Capability),
    /// A protocol's name is empty, longer than 8 bytes, not ASCII, or `p2p`.
    #[error("{:?} is not a protocol name: it must be 1 to 8 ASCII characters, not p2p", .0.name())]
    ProtocolName(Capability),
    /// More protocols are registered than remotes accept.
    #[error("{got} protocols are registered, but remotes accept at most {limit}")]
    TooManyProtocols {
        /// The number of registered protocols, counting each version.
        got: usize,
        /// The limit, 64.
        limit: usize,
    },
    /// The protocols' message codes do not fit into 64 bits.
    #[error(transparent)]
    Lengths(#[from] MatchError),
    /// With all registered protocols, the Hello is larger than any remote accepts.
    #[error("the Hello message takes {size} bytes, but remotes accept at most {limit}")]
    HelloTooLarge {
        /// The Hello's size in bytes.
        size: usize,
        /// The limit, 2048 bytes.
        limit: usize,
    },
    /// A number or time of the configuration is too small.
    #[error(transparent)]
    Config(#[from] TooSmall),
    /// The current runtime cannot run the server.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The [record](super::ServerBuilder::record) is signed with another key than the node's.
    #[error("the record belongs to node {of}, and this node is {own}")]
    ForeignRecord {
        /// The node of the record.
        of: NodeId,
        /// This node.
        own: NodeId,
    },
    /// An [entry](super::ServerBuilder::record_entry) of the node's record is invalid.
    #[error(transparent)]
    RecordEntry(#[from] EntryError),
    /// The node's record cannot be created or [stored](super::ServerBuilder::record_file).
    #[error("the node's own record: {0}")]
    Record(#[source] io::Error),
    /// The setting [`nat`](super::ServerBuilder::nat) needs the feature `nat`, which is not built
    /// in.
    #[error(transparent)]
    Nat(#[from] NatNotBuilt),
    /// The UDP address of discovery cannot be bound.
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    #[error("cannot bind {addr} for discovery: {source}")]
    DiscoveryBind {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The UDP socket of discovery cannot be used.
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    #[error("the socket for discovery: {0}")]
    DiscoverySocket(#[source] io::Error),
    /// Discovery v4 cannot start.
    #[cfg(feature = "discv4")]
    #[error("Discovery v4: {0}")]
    Discv4(#[from] crate::discv4::Discv4Error),
    /// Discovery v5 cannot start.
    #[cfg(feature = "discv5")]
    #[error("Discovery v5: {0}")]
    Discv5(#[from] crate::discv5::Discv5Error),
    /// A limit of a protocol is too small.
    #[error("protocol {protocol}: {source}")]
    Limits {
        /// The protocol.
        protocol: Capability,
        /// The limit.
        source: TooSmall,
    },
}

/// Why a static node could not be added or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticNodeError {
    /// The enode URL contains no address, or TCP port 0.
    #[error("{id} has no TCP endpoint to dial")]
    NoEndpoint {
        /// The node.
        id: NodeId,
    },
    /// The node is the server itself.
    #[error("{id} is this node itself")]
    Itself {
        /// The node.
        id: NodeId,
    },
    /// The node is outside the permitted networks.
    #[error("{id} may not be dialled: {cause}")]
    NotAllowed {
        /// The node.
        id: NodeId,
        /// The reason.
        cause: Refusal,
    },
    /// The connection manager has no room for the node, or another node has its address.
    #[error("{id} cannot be kept connected: {source}")]
    Manager {
        /// The node.
        id: NodeId,
        /// The manager's error.
        source: ManagerError,
    },
    /// The server has stopped, or is stopping.
    #[error("the server has stopped")]
    Stopped,
}

/// Why a running server rejected a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconfigureError {
    /// The configuration changes a setting that is fixed while the server runs.
    #[error("{setting} cannot change while the server runs")]
    Fixed {
        /// The setting's name.
        setting: &'static str,
    },
    /// A number or time is too small.
    #[error(transparent)]
    Config(#[from] TooSmall),
    /// The server has stopped, or is stopping.
    #[error("the server has stopped")]
    Stopped,
}

/// What a dial that produced no peer reveals about the node.
///
/// Only [`Unreachable`](Self::Unreachable) counts against the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialOutcome {
    /// The node proved its key by a first frame, which may say "too many peers".
    There,
    /// The node was not reached, or did not prove its key.
    Unreachable,
    /// Nothing: this side rejected or cancelled the dial, or could not even try.
    NotAttempted,
}

/// Why a dial produced no peer; cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The enode URL contains no address, or TCP port 0.
    #[error("{id} has no TCP endpoint to dial")]
    NoEndpoint {
        /// The node that was to be dialled.
        id: NodeId,
    },
    /// The stream could not be opened.
    #[error("{}", not_connected(.id, .addr, .source))]
    Connect {
        /// The node that was to be dialled.
        id: NodeId,
        /// The node's address; `None` if its name was not resolved.
        addr: Option<SocketAddr>,
        /// The error.
        source: ConnectError,
    },
    /// The set-up of the connection failed.
    #[error("no connection with {id}{}: {source}", at(.addr))]
    Setup {
        /// The node that was dialled.
        id: NodeId,
        /// The node's address, if the transport has addresses.
        addr: Option<SocketAddr>,
        /// The error.
        source: Arc<SetupError>,
    },
    /// This side rejects the connection.
    ///
    /// The node is this node itself, there is no free seat for the node, or the node was already
    /// connected but has just disconnected.
    #[error("not dialling {id}: {reason}")]
    Unwanted {
        /// The node that was to be dialled.
        id: NodeId,
        /// The reason.
        reason: DisconnectReason,
    },
    /// The node is already connected.
    #[error("{} is already connected", .peer.id())]
    Connected {
        /// The node's peer.
        peer: Peer,
    },
    /// The node may not be dialled: it is banned, or outside the permitted networks.
    #[error("not dialling {id}{}: {cause}", at(.addr))]
    NotAllowed {
        /// The node that was to be dialled.
        id: NodeId,
        /// The node's address, if known.
        addr: Option<SocketAddr>,
        /// The reason.
        cause: Refusal,
    },
    /// The connection manager rejected the request.
    #[error("not dialling {id}: {source}")]
    Manager {
        /// The node that was to be dialled.
        id: NodeId,
        /// The manager's error.
        source: ManagerError,
    },
    /// The attempt was cancelled, because the node was removed or the server stops.
    #[error("cancelled the dial of {id}")]
    GivenUp {
        /// The node that was to be dialled.
        id: NodeId,
    },
}

fn not_connected(id: &NodeId, addr: &Option<SocketAddr>, source: &ConnectError) -> String {
    match source {
        ConnectError::Resolve { host, source } => {
            format!("cannot resolve {host} of {id}: {source}")
        }
        source => format!("cannot connect to {id}{}: {source}", at(addr)),
    }
}

fn at(addr: &Option<SocketAddr>) -> String {
    addr.map_or_else(String::new, |addr| format!(" at {addr}"))
}

impl DialError {
    /// Returns the node that was to be dialled.
    #[must_use]
    pub fn id(&self) -> NodeId {
        match self {
            Self::Connected { peer } => peer.id(),
            Self::NoEndpoint { id }
            | Self::Connect { id, .. }
            | Self::Setup { id, .. }
            | Self::Unwanted { id, .. }
            | Self::NotAllowed { id, .. }
            | Self::Manager { id, .. }
            | Self::GivenUp { id } => *id,
        }
    }

    /// Returns the address that was dialled, if known.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Connect { addr, .. }
            | Self::Setup { addr, .. }
            | Self::NotAllowed { addr, .. } => *addr,
            _ => None,
        }
    }

    /// Returns the stage at which the dial failed.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Setup { source, .. } => source.stage(),
            _ => Stage::Dial,
        }
    }

    /// Returns which side is at fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Connect { .. } => Fault::Io,
            Self::Setup { source, .. } => source.fault(),
            _ => Fault::Local,
        }
    }

    /// Returns the disconnect reason of the failure, if any.
    ///
    /// The reason was sent or received in a Disconnect, or explains why the node was not dialled.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Unwanted { reason, .. } => Some(*reason),
            Self::Connected { .. } => Some(DisconnectReason::ALREADY_CONNECTED),
            Self::Setup { source, .. } => source.reason(),
            _ => None,
        }
    }

    /// Returns what the failure reveals about the node.
    #[must_use]
    pub fn outcome(&self) -> DialOutcome {
        match self {
            Self::Connect { source, .. } if !source.is_local() => DialOutcome::Unreachable,
            Self::Setup { source, .. } => match (source.proves_the_remote(), source.fault()) {
                (true, _) => DialOutcome::There,
                (false, Fault::Local) => DialOutcome::NotAttempted,
                (false, _) => DialOutcome::Unreachable,
            },
            _ => DialOutcome::NotAttempted,
        }
    }

    /// Wraps the failure of a node's dial.
    pub(crate) fn of_dial(node: &Enode, source: ConnectError) -> Self {
        let id = node.node_id();
        let known = || node.endpoint().and_then(Endpoint::socket_addr);
        let addr = source.addr().or_else(known);
        match source {
            ConnectError::Unwanted(cause) => Self::of_refusal(id, addr, cause),
            source => Self::Connect { id, addr, source },
        }
    }

    /// Wraps the refusal of a request to dial a node.
    pub(crate) fn of_request(node: &Enode, source: ManagerError) -> Self {
        let id = node.node_id();
        let addr = node.endpoint().and_then(Endpoint::socket_addr);
        match source {
            ManagerError::Refused(cause) => Self::of_refusal(id, addr, cause),
            ManagerError::Stopped => Self::of_refusal(id, addr, Refusal::Stopping),
            source => Self::Manager { id, source },
        }
    }

    fn of_refusal(id: NodeId, addr: Option<SocketAddr>, cause: Refusal) -> Self {
        let reason = match cause {
            Refusal::AlreadyConnected => DisconnectReason::ALREADY_CONNECTED,
            Refusal::LimitReached { .. } => DisconnectReason::TOO_MANY_PEERS,
            Refusal::Itself => DisconnectReason::CONNECTED_TO_SELF,
            Refusal::Stopping => DisconnectReason::CLIENT_QUITTING,
            cause => return Self::NotAllowed { id, addr, cause },
        };
        Self::Unwanted { id, reason }
    }
}

/// The server stopped itself because an essential part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's {service} {}", if *panicked { "panicked" } else { "ended unexpectedly" })]
#[non_exhaustive]
pub struct ServerFailed {
    /// The name of the part: one of the server's own, or one set with
    /// [`ServerBuilder::stop_with`](super::ServerBuilder::stop_with).
    pub service: &'static str,
    /// Whether the part panicked; otherwise it returned.
    pub panicked: bool,
}

/// A shutdown exceeded its deadline, and the remaining connections were aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{tasks} connections did not end within {deadline:?} and were aborted")]
#[non_exhaustive]
pub struct ShutdownTimedOut {
    /// The number of aborted connections.
    pub tasks: usize,
    /// The deadline.
    pub deadline: Duration,
}

#[cfg(feature = "serde")]
impl From<&DialError> for crate::setup::FailureInfo {
    fn from(error: &DialError) -> Self {
        Self::new(
            error.stage(),
            error.fault(),
            error.reason(),
            error.to_string(),
        )
    }
}

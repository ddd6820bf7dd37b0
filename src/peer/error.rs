use std::fmt;
use std::io;
use std::time::Duration;

use super::{ProtocolError, SlowTransfer};
use crate::channel::WriteError;
use crate::fault::Fault;
use crate::p2p::{Capability, DisconnectReason};
use crate::rlpx::FrameError;
use crate::setup::breach_reason;
use crate::stage::Stage;

/// Why the connection to a peer ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The remote sent a Disconnect, with or without a reason.
    #[error("the remote disconnected: {}", reason_text(.0))]
    Remote(Option<DisconnectReason>),
    /// This side disconnected the peer.
    #[error("disconnected locally: {0}")]
    Local(DisconnectReason),
    /// [`Server::kick`](crate::Server::kick) ended the connection.
    #[error("kicked by this node")]
    Kicked,
    /// [`Server::ban`](crate::Server::ban), [`Server::ban_ip`](crate::Server::ban_ip) or
    /// [`Peer::penalise`](super::Peer::penalise) ended the connection.
    #[error("banned by this node")]
    Banned,
    /// [`Server::remove_static`](crate::Server::remove_static) ended the connection.
    #[error("removed from this node's static nodes")]
    Removed,
    /// A protocol's function returned successfully.
    #[error("protocol {0} returned")]
    ProtocolReturned(Capability),
    /// A protocol's function returned an error.
    #[error("protocol {capability} failed: {source}")]
    Protocol {
        /// The protocol.
        capability: Capability,
        /// The error that the function returned.
        source: ProtocolError,
    },
    /// A handler with a full queue took or released no message within the stall limit.
    #[error("protocol {capability} took no messages for {stalled:.1?}")]
    Stalled {
        /// The protocol.
        capability: Capability,
        /// Time since the queue became full, or since the handler's last progress after that.
        stalled: Duration,
    },
    /// Throughout the stall limit, the memory budget had no room for a protocol's next message.
    #[error(
        "no memory for a message to protocol {capability} for {waited:.1?}: \
         the budget for received data is used up"
    )]
    NoRoom {
        /// The protocol.
        capability: Capability,
        /// Time since the wait began, or since the handler's last progress after that.
        waited: Duration,
    },
    /// The remote exceeded a protocol's quota, and the protocol's limits demand a disconnection.
    #[error("the remote sent more to protocol {0} than it allows")]
    TooFast(Capability),
    /// A frame could not be opened.
    #[error("malformed frame: {0}")]
    Frame(#[from] FrameError),
    /// A message id lies outside all matched protocols.
    #[error("message id {id:#x} belongs to no protocol; the last one in use is {last:#x}")]
    UnknownMessage {
        /// The id received.
        id: u64,
        /// The highest id of any matched protocol, or of the base protocol.
        last: u64,
    },
    /// The remote sent more than five Pings plus one per 0.9 s of the connection.
    #[error("the remote sent too many pings")]
    PingFlood,
    /// A Ping was outstanding, and nothing arrived for longer than the liveness timeout.
    #[error("the remote is silent: no answer to a ping within {0:?}")]
    Silent(Duration),
    /// A message arrived too slowly, see [`PeerConfig::with_message_timeout`].
    ///
    /// [`PeerConfig::with_message_timeout`]: super::PeerConfig::with_message_timeout
    #[error("a message arrived too slowly: {0}")]
    SlowMessage(SlowTransfer),
    /// The peer was disconnected because the node's memory budget was used up.
    ///
    /// Either the peer held the most memory and more than its fair share, or it needed memory to
    /// continue reading and did not get it in time.
    #[error("disconnected to free memory: the node's budget is used up")]
    Evicted,
    /// The socket could not be read.
    #[error("reading failed: {0}")]
    Read(#[source] io::Error),
    /// The remote closed the connection without a Disconnect.
    #[error("the remote closed the connection")]
    Closed,
    /// The socket could not be written.
    #[error("writing failed: {0}")]
    Write(#[source] io::Error),
    /// The remote accepted a batch of messages too slowly, see [`PeerConfig::with_write_timeout`].
    ///
    /// [`PeerConfig::with_write_timeout`]: super::PeerConfig::with_write_timeout
    #[error("the remote accepts messages too slowly: {0}")]
    SlowWrite(SlowTransfer),
    /// A task of the peer ended unexpectedly.
    #[error("internal failure in the {0} task")]
    Internal(&'static str),
}

fn reason_text(reason: &Option<DisconnectReason>) -> String {
    reason.map_or_else(|| "no reason given".to_owned(), |reason| reason.to_string())
}

impl PeerError {
    /// Returns the stage at which the error occurred.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::ProtocolReturned(_)
            | Self::Protocol { .. }
            | Self::Stalled { .. }
            | Self::TooFast(_)
            | Self::NoRoom { .. } => Stage::Protocol,
            Self::UnknownMessage { .. }
            | Self::PingFlood
            | Self::Remote(_)
            | Self::Local(_)
            | Self::Kicked
            | Self::Banned
            | Self::Removed => Stage::Message,
            _ => Stage::Frame,
        }
    }

    /// Returns the side that caused the error.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Local(_)
            | Self::Kicked
            | Self::Banned
            | Self::Removed
            | Self::ProtocolReturned(_)
            | Self::Stalled { .. }
            | Self::NoRoom { .. }
            | Self::Evicted
            | Self::Internal(_) => Fault::Local,
            Self::Protocol { source, .. } => source.fault(),
            Self::Remote(_)
            | Self::Frame(_)
            | Self::UnknownMessage { .. }
            | Self::PingFlood
            | Self::TooFast(_)
            | Self::SlowMessage(_) => Fault::Remote,
            Self::Silent(_)
            | Self::Read(_)
            | Self::Closed
            | Self::Write(_)
            | Self::SlowWrite(_) => Fault::Io,
        }
    }

    /// Returns the variant's name in snake case, as used in metrics and events.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Remote(_) => "remote",
            Self::Local(_) => "local",
            Self::Kicked => "kicked",
            Self::Banned => "banned",
            Self::Removed => "removed",
            Self::ProtocolReturned(_) => "protocol_returned",
            Self::Protocol { .. } => "protocol",
            Self::Stalled { .. } => "stalled",
            Self::NoRoom { .. } => "no_room",
            Self::TooFast(_) => "too_fast",
            Self::Frame(_) => "frame",
            Self::UnknownMessage { .. } => "unknown_message",
            Self::PingFlood => "ping_flood",
            Self::Silent(_) => "silent",
            Self::SlowMessage(_) => "slow_message",
            Self::Evicted => "evicted",
            Self::Read(_) => "read",
            Self::Closed => "closed",
            Self::Write(_) => "write",
            Self::SlowWrite(_) => "slow_write",
            Self::Internal(_) => "internal",
        }
    }

    /// Returns the local protocol involved, if any.
    #[must_use]
    pub fn protocol(&self) -> Option<&Capability> {
        match self {
            Self::ProtocolReturned(capability)
            | Self::Protocol { capability, .. }
            | Self::Stalled { capability, .. }
            | Self::NoRoom { capability, .. }
            | Self::TooFast(capability) => Some(capability),
            _ => None,
        }
    }

    /// Returns whether the remote violated the protocol.
    ///
    /// A Disconnect is not a violation.
    #[must_use]
    pub fn is_misbehaviour(&self) -> bool {
        self.fault() == Fault::Remote && !self.remote_requested()
    }

    /// Returns the reason in the Disconnect of either side, if there is one.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Remote(reason) => *reason,
            _ => self.reason_to_send(),
        }
    }

    /// Returns the reason to send to the remote, or `None` to close without a Disconnect.
    ///
    /// A Disconnect is not answered with another Disconnect. After a MAC or I/O error none is sent,
    /// since no frame is certain to arrive. [`NETWORK_ERROR`](DisconnectReason::NETWORK_ERROR) and
    /// [`INVALID`](DisconnectReason::INVALID) are never sent.
    #[must_use]
    pub fn reason_to_send(&self) -> Option<DisconnectReason> {
        let reason = match self {
            Self::Remote(_)
            | Self::Read(_)
            | Self::Closed
            | Self::Write(_)
            | Self::SlowWrite(_) => None,
            Self::Local(reason) => Some(*reason),
            Self::ProtocolReturned(_) => Some(DisconnectReason::CLIENT_QUITTING),
            Self::Protocol { source, .. } => Some(source.reason()),
            Self::Stalled { .. } | Self::NoRoom { .. } | Self::TooFast(_) => {
                Some(DisconnectReason::SUBPROTOCOL_ERROR)
            }
            Self::Frame(error) => breach_reason(error),
            Self::UnknownMessage { .. } | Self::PingFlood => {
                Some(DisconnectReason::BREACH_OF_PROTOCOL)
            }
            Self::Silent(_) | Self::SlowMessage(_) => Some(DisconnectReason::READ_TIMEOUT),
            Self::Evicted => Some(DisconnectReason::TOO_MANY_PEERS),
            Self::Kicked | Self::Banned | Self::Removed | Self::Internal(_) => {
                Some(DisconnectReason::REQUESTED)
            }
        };
        reason.and_then(DisconnectReason::sent)
    }

    /// If a write has failed, returns the error that senders receive.
    pub(crate) fn write_failure(&self) -> Option<WriteError> {
        match self {
            Self::Write(error) => Some(WriteError::copy(error)),
            Self::SlowWrite(slow) => {
                let error = io::Error::new(io::ErrorKind::TimedOut, slow.to_string());
                Some(WriteError::new(error))
            }
            _ => None,
        }
    }

    /// Returns whether the remote ended the connection with a Disconnect.
    #[must_use]
    pub fn remote_requested(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Returns which side disconnected, `local` or `remote`, or `io` without a Disconnect.
    #[must_use]
    pub fn requested_by(&self) -> &'static str {
        if self.remote_requested() {
            "remote"
        } else if self.reason().is_some() {
            "local"
        } else {
            "io"
        }
    }

    /// Returns the rank among simultaneous causes; the cause with the lowest rank is reported.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Remote(_) => 0,
            Self::Local(_) | Self::Kicked | Self::Banned | Self::Removed => 1,
            Self::ProtocolReturned(_)
            | Self::Protocol { .. }
            | Self::Stalled { .. }
            | Self::NoRoom { .. } => 2,
            Self::Write(_) | Self::SlowWrite(_) => 3,
            _ => 4,
        }
    }

    /// Returns whether messages that arrived before the end are still delivered.
    pub(crate) fn keeps_received(&self) -> bool {
        matches!(
            self,
            Self::Remote(_) | Self::Closed | Self::Read(_) | Self::Write(_) | Self::SlowWrite(_)
        )
    }
}

/// How a connection ended, for the application.
#[derive(Debug)]
#[non_exhaustive]
pub struct PeerOutcome {
    /// The first cause.
    ///
    /// If several causes are simultaneous, the remote's Disconnect takes precedence. A local
    /// disconnect, a protocol's result, a write error, and a read error follow in this order.
    pub error: PeerError,
    /// The number of queued protocol messages that were not completely written.
    pub unsent: usize,
    /// How long the peer was connected.
    pub lifetime: Duration,
}

impl fmt::Display for PeerOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (after {:.1?}", self.error, self.lifetime)?;
        match self.unsent {
            0 => f.write_str(")"),
            unsent => write!(f, ", {unsent} messages unsent)"),
        }
    }
}

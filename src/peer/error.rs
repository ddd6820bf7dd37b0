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

/// Why a peer ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The remote sent a Disconnect, or one without a reason.
    #[error("the remote disconnected: {}", reason_text(.0))]
    Remote(Option<DisconnectReason>),
    /// This side asked for it.
    #[error("disconnected locally: {0}")]
    Local(DisconnectReason),
    /// [`Server::kick`](crate::Server::kick) ended it.
    #[error("kicked by this node")]
    Kicked,
    /// [`Server::ban`](crate::Server::ban), [`Server::ban_ip`](crate::Server::ban_ip) or
    /// [`Peer::penalise`](super::Peer::penalise) ended it.
    #[error("banned by this node")]
    Banned,
    /// [`Server::remove_static`](crate::Server::remove_static) ended it.
    #[error("removed from this node's static nodes")]
    Removed,
    /// A protocol's function returned successfully.
    #[error("protocol {0} returned")]
    ProtocolReturned(Capability),
    /// A protocol's function returned an error.
    #[error("protocol {capability} failed: {source}")]
    Protocol {
        /// Which protocol.
        capability: Capability,
        /// The error that it returned.
        source: ProtocolError,
    },
    /// A handler with a full queue took or released no message for the stall limit.
    #[error("protocol {capability} took no messages for {stalled:.1?}")]
    Stalled {
        /// Which protocol.
        capability: Capability,
        /// Time since the handler last took or released a message, or its queue became full.
        stalled: Duration,
    },
    /// The memory budget had no room for a protocol's next message throughout the stall limit.
    #[error(
        "no memory for a message to protocol {capability} for {waited:.1?}: \
         the budget for received data is used up"
    )]
    NoRoom {
        /// Which protocol.
        capability: Capability,
        /// Time since its handler last took or released a message, or the wait began.
        waited: Duration,
    },
    /// The remote exceeded the rate of a protocol that disconnects such peers.
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
    /// The remote exceeded five Pings plus one for each 0.9 s of the connection.
    #[error("the remote sent too many pings")]
    PingFlood,
    /// Nothing arrived for longer than the liveness timeout although a Ping was outstanding.
    #[error("the remote is silent: no answer to a ping within {0:?}")]
    Silent(Duration),
    /// A message arrived too slowly, see [`PeerConfig::with_message_timeout`].
    ///
    /// [`PeerConfig::with_message_timeout`]: super::PeerConfig::with_message_timeout
    #[error("a message arrived too slowly: {0}")]
    SlowMessage(SlowTransfer),
    /// The peer was ended because the node's memory budget is used up.
    ///
    /// It held the most memory and more than its fair share, or it found no room to read on in
    /// time.
    #[error("ended to free memory: the node's budget is used up")]
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
    /// The remote took a batch of messages too slowly, see [`PeerConfig::with_write_timeout`].
    ///
    /// [`PeerConfig::with_write_timeout`]: super::PeerConfig::with_write_timeout
    #[error("the remote takes messages too slowly: {0}")]
    SlowWrite(SlowTransfer),
    /// A task of the peer ended unexpectedly.
    #[error("internal failure in the {0} task")]
    Internal(&'static str),
}

fn reason_text(reason: &Option<DisconnectReason>) -> String {
    reason.map_or_else(|| "no reason given".to_owned(), |reason| reason.to_string())
}

impl PeerError {
    /// The stage at which it happened.
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

    /// Which side caused it.
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

    /// The variant's name in snake case, a label of metrics and a key of events.
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

    /// The local protocol that it concerns, if it concerns one.
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

    /// Whether the remote broke the protocol.
    ///
    /// A Disconnect breaks nothing.
    #[must_use]
    pub fn is_misbehaviour(&self) -> bool {
        self.fault() == Fault::Remote && !self.remote_requested()
    }

    /// The reason in the Disconnect that either side sent; `None` if there was none.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Remote(reason) => *reason,
            _ => self.reason_to_send(),
        }
    }

    /// The reason to send to the remote, or `None` if the connection just closes.
    ///
    /// A Disconnect is not echoed, and after a MAC or I/O error no frame can be trusted to arrive.
    /// [`NETWORK_ERROR`](DisconnectReason::NETWORK_ERROR) and
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

    /// The error for senders after a failed write.
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

    /// Whether the remote asked for the end with a Disconnect.
    #[must_use]
    pub fn remote_requested(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Which side asked for the end, `local` or `remote`; `io` without a Disconnect.
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

    /// The priority among simultaneous causes; the lowest wins.
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

    /// Whether messages that arrived before are still delivered.
    pub(crate) fn keeps_received(&self) -> bool {
        matches!(
            self,
            Self::Remote(_) | Self::Closed | Self::Read(_) | Self::Write(_) | Self::SlowWrite(_)
        )
    }
}

/// How a peer ended, for the application.
#[derive(Debug)]
#[non_exhaustive]
pub struct PeerOutcome {
    /// The first cause.
    ///
    /// The order among simultaneous causes is the remote's Disconnect, a local disconnect, a
    /// protocol's result, a write error, a read error.
    pub error: PeerError,
    /// How many queued protocol messages were not written, or not completely.
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

use std::error::Error;
use std::fmt;
use std::time::Duration;

use peermux::DisconnectReason;

use super::{Chain, ForkError, ForkId, Hash, Status};

/// Why a peer was refused in the protocol's handshake.
///
/// The peer is disconnected with [`USELESS_PEER`](DisconnectReason::USELESS_PEER) if it is on
/// another chain, with [`READ_TIMEOUT`](DisconnectReason::READ_TIMEOUT) if it is too slow, and with
/// [`SUBPROTOCOL_ERROR`](DisconnectReason::SUBPROTOCOL_ERROR) if it breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// No Status arrived in time.
    TimedOut(Duration),
    /// The first message was not a Status.
    NoStatus {
        /// The code of the first message.
        code: u64,
    },
    /// The version in the Status is not the negotiated version.
    Version {
        /// The negotiated version.
        ours: u64,
        /// The version in the Status.
        theirs: u64,
    },
    /// The peer is on another network.
    Network {
        /// Our network number.
        ours: u64,
        /// The peer's network number.
        theirs: u64,
    },
    /// The peer's chain has a different first block.
    Genesis {
        /// Our first block.
        ours: Hash,
        /// The peer's first block.
        theirs: Hash,
    },
    /// The peer's fork identifier is incompatible.
    Fork {
        /// Our fork identifier.
        ours: ForkId,
        /// The peer's fork identifier.
        theirs: ForkId,
        /// Why they are incompatible.
        why: ForkError,
    },
    /// The peer's range of blocks is impossible.
    Range {
        /// The rule that the range breaks.
        rule: &'static str,
    },
}

impl HandshakeError {
    /// Returns the reason sent to the peer.
    #[must_use]
    pub fn reason(&self) -> DisconnectReason {
        *self.static_reason()
    }

    fn static_reason(&self) -> &'static DisconnectReason {
        match self {
            Self::TimedOut(_) => &DisconnectReason::READ_TIMEOUT,
            Self::Network { .. } | Self::Genesis { .. } | Self::Fork { .. } => {
                &DisconnectReason::USELESS_PEER
            }
            Self::NoStatus { .. } | Self::Version { .. } | Self::Range { .. } => {
                &DisconnectReason::SUBPROTOCOL_ERROR
            }
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "no Status within {limit:?}"),
            Self::NoStatus { code } => {
                write!(f, "the first message is {code:#04x}, not a Status")
            }
            Self::Version { ours, theirs } => {
                write!(f, "the Status is for eth/{theirs}, not eth/{ours}")
            }
            Self::Network { ours, theirs } => {
                write!(f, "the peer is on network {theirs}, not {ours}")
            }
            Self::Genesis { ours, theirs } => {
                write!(f, "the peer's first block is {theirs}, not {ours}")
            }
            Self::Fork { ours, theirs, why } => {
                write!(
                    f,
                    "fork identifier {theirs} is incompatible with {ours}: {why}"
                )
            }
            Self::Range { rule } => write!(f, "the peer's range of blocks is invalid: {rule}"),
        }
    }
}

impl Error for HandshakeError {
    /// Returns the disconnect reason. When a protocol fails, the reason is looked up among the
    /// sources of its error.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.static_reason())
    }
}

impl Chain {
    /// Checks whether a peer with this Status is useful to a node on this chain.
    ///
    /// # Errors
    /// [`HandshakeError`] if it is not.
    pub fn check(&self, version: u64, theirs: &Status) -> Result<(), HandshakeError> {
        let ours = self.status(version);
        if theirs.network != ours.network {
            return Err(HandshakeError::Network {
                ours: ours.network,
                theirs: theirs.network,
            });
        }
        if theirs.version != version {
            return Err(HandshakeError::Version {
                ours: version,
                theirs: theirs.version,
            });
        }
        if theirs.genesis != ours.genesis {
            return Err(HandshakeError::Genesis {
                ours: ours.genesis,
                theirs: theirs.genesis,
            });
        }
        let Chain { forks, head, .. } = self;
        let forks = forks.check(head.number, head.time, theirs.fork_id);
        forks.map_err(|why| HandshakeError::Fork {
            ours: ours.fork_id,
            theirs: theirs.fork_id,
            why,
        })?;
        let range = theirs.range().map_or(Ok(()), |range| range.check());
        range.map_err(|rule| HandshakeError::Range { rule })
    }
}

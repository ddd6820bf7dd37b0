use std::error::Error;
use std::fmt;
use std::time::Duration;

use peermux::DisconnectReason;

use super::{Chain, ForkError, ForkId, Hash, Status};

/// Why a peer was refused at the beginning of the protocol.
///
/// It ends with [`USELESS_PEER`](DisconnectReason::USELESS_PEER) if it is on another chain, with
/// [`READ_TIMEOUT`](DisconnectReason::READ_TIMEOUT) if it was too slow, and with
/// [`SUBPROTOCOL_ERROR`](DisconnectReason::SUBPROTOCOL_ERROR) if it made a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// No Status came in time.
    TimedOut(Duration),
    /// The first message was not a Status.
    NoStatus {
        /// The code of the message that came.
        code: u64,
    },
    /// The Status is of another version than was agreed on.
    Version {
        /// The version agreed on.
        ours: u64,
        /// What the Status says.
        theirs: u64,
    },
    /// The peer is on another network.
    Network {
        /// The number of our network.
        ours: u64,
        /// That of the peer's.
        theirs: u64,
    },
    /// The peer's chain begins with another block.
    Genesis {
        /// Our first block.
        ours: Hash,
        /// The peer's.
        theirs: Hash,
    },
    /// The peer's chain has other forks.
    Fork {
        /// Our fork identifier.
        ours: ForkId,
        /// The peer's.
        theirs: ForkId,
        /// Why they do not go together.
        why: ForkError,
    },
    /// The peer has a range of blocks that cannot be.
    Range {
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl HandshakeError {
    /// What goes to the peer.
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
            Self::TimedOut(limit) => write!(f, "no Status came within {limit:?}"),
            Self::NoStatus { code } => {
                write!(f, "message {code:#04x} came first instead of a Status")
            }
            Self::Version { ours, theirs } => {
                write!(f, "the Status is of eth/{theirs}, not eth/{ours}")
            }
            Self::Network { ours, theirs } => {
                write!(f, "the peer is on network {theirs}, not {ours}")
            }
            Self::Genesis { ours, theirs } => {
                write!(f, "the peer's first block is {theirs}, not {ours}")
            }
            Self::Fork { ours, theirs, why } => {
                write!(f, "fork identifier {theirs} does not go with {ours}: {why}")
            }
            Self::Range { rule } => write!(f, "the peer's range of blocks is wrong: {rule}"),
        }
    }
}

impl Error for HandshakeError {
    /// The reason, which is so found by the peer that the protocol ends.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.static_reason())
    }
}

impl Chain {
    /// Whether a node on this chain has a use for one with this Status.
    ///
    /// # Errors
    /// [`HandshakeError`] if not.
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

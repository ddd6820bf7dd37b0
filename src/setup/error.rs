use std::io;
use std::time::Duration;

use crate::fault::Fault;
use crate::p2p::{Capability, DisconnectReason, HelloError};
use crate::printable::printable;
use crate::rlpx::{FrameError, HandshakeError};
use crate::stage::Stage;

/// Why a connection was not set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The socket failed.
    #[error("{stage}: {source}")]
    Io {
        /// During which step.
        stage: Stage,
        /// What the system said.
        source: io::Error,
    },
    /// The remote closed the socket without a word: most implementations do that when the key
    /// that was dialled is not theirs, or when they do not speak RLPx at all.
    #[error("{stage}: the remote closed the connection")]
    Closed {
        /// During which step.
        stage: Stage,
    },
    /// The encryption handshake failed.
    #[error("{stage}: {source}")]
    Handshake {
        /// During which step.
        stage: Stage,
        /// What is wrong.
        source: HandshakeError,
    },
    /// The remote's first frame cannot be opened; with the header's MAC wrong, the two sides do
    /// not share a key.
    #[error("hello: malformed frame: {0}")]
    Frame(#[from] FrameError),
    /// The remote's Hello cannot be accepted.
    #[error("hello: {0}")]
    Hello(#[from] HelloError),
    /// The remote's first message is neither Hello nor Disconnect.
    #[error("hello: expected a handshake message, got message id {id:#x}")]
    NotHello {
        /// The message id received.
        id: u64,
    },
    /// The key in the remote's Hello is not the one of the encryption handshake.
    #[error("hello: the remote claims the identity {claimed}, its key is that of {proven}")]
    UnexpectedIdentity {
        /// The node id that belongs to the key in its Hello.
        claimed: crate::node::NodeId,
        /// The node id that it proved.
        proven: crate::node::NodeId,
    },
    /// The remote refused the connection.
    #[error("hello: the remote refused: {}",
        .0.map_or_else(|| "no reason given".to_owned(), |reason| reason.to_string()))]
    Refused(Option<DisconnectReason>),
    /// This side refused the connection, and told the remote so.
    #[error("hello: refused here: {0}")]
    RefusedHere(DisconnectReason),
    /// The remote speaks none of this side's protocols, which was [said](DisconnectReason::USELESS_PEER) to it.
    #[error("hello: no protocol is shared: this side speaks {}, the remote {}", names(.ours), names(.theirs))]
    NothingShared {
        /// What this side speaks.
        ours: Vec<Capability>,
        /// What the remote speaks, in the order of its Hello.
        theirs: Vec<Capability>,
    },
    /// The node is banned here; it was told that it is not wanted.
    #[error("hello: {id} is banned here")]
    Banned {
        /// The node.
        id: crate::node::NodeId,
    },
    /// The steps took too long.
    #[error("{stage}: no end after {after:?}")]
    TimedOut {
        /// During which step.
        stage: Stage,
        /// The deadline that passed.
        after: Duration,
    },
}

impl SetupError {
    /// The stage at which it happened.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Io { stage, .. }
            | Self::Closed { stage }
            | Self::Handshake { stage, .. }
            | Self::TimedOut { stage, .. } => *stage,
            _ => Stage::Hello,
        }
    }

    /// Who is at fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } | Self::Closed { .. } | Self::TimedOut { .. } => Fault::Io,
            Self::Handshake { source, .. } => source.fault(),
            Self::RefusedHere(_) | Self::NothingShared { .. } | Self::Banned { .. } => Fault::Local,
            _ => Fault::Remote,
        }
    }

    /// Whether a frame of the remote's came first whose MAC proves its key. The ack alone does not:
    /// everybody who knows our key can make one.
    pub(crate) fn proves_the_remote(&self) -> bool {
        match self {
            Self::Frame(error) => !is_unproven(error),
            Self::Hello(_) | Self::NotHello { .. } | Self::UnexpectedIdentity { .. } => true,
            Self::Refused(_) => true,
            // What both sides speak is in their Hellos.
            Self::NothingShared { .. } => true,
            _ => false,
        }
    }

    /// The reason that travelled in a Disconnect, in either direction; `None` if none did.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Refused(reason) => *reason,
            _ => self.reason_to_send(),
        }
    }

    /// The reason that the remote is told before the socket is closed. Nothing can be told
    /// before the secrets exist.
    pub(crate) fn reason_to_send(&self) -> Option<DisconnectReason> {
        match self {
            Self::Frame(error) => breach_reason(error),
            Self::Hello(error) => Some(error.reason()),
            Self::NotHello { .. } => Some(DisconnectReason::BREACH_OF_PROTOCOL),
            Self::UnexpectedIdentity { .. } => Some(DisconnectReason::UNEXPECTED_IDENTITY),
            Self::RefusedHere(reason) => Some(*reason),
            Self::NothingShared { .. } => Some(DisconnectReason::USELESS_PEER),
            Self::Banned { .. } => Some(DisconnectReason::REQUESTED),
            _ => None,
        }
    }

    pub(crate) fn io(stage: Stage) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed { stage },
            _ => Self::Io { stage, source },
        }
    }
}

/// The first of these, for people.
fn names(capabilities: &[Capability]) -> String {
    const SHOWN: usize = 8;

    if capabilities.is_empty() {
        return "none".to_owned();
    }
    let shown = capabilities.iter().take(SHOWN);
    let shown: Vec<_> = shown.map(ToString::to_string).collect();
    let text = printable(&shown.join(", "), usize::MAX);
    match capabilities.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// What a remote is told about a frame of its that cannot be accepted: nothing if the MAC is
/// wrong, since then it is not certain who sent it.
pub(crate) fn breach_reason(error: &FrameError) -> Option<DisconnectReason> {
    (!is_unproven(error)).then_some(DisconnectReason::BREACH_OF_PROTOCOL)
}

fn is_unproven(error: &FrameError) -> bool {
    matches!(
        error,
        FrameError::HeaderMac | FrameError::BodyMac | FrameError::AlreadyFailed
    )
}

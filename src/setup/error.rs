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
        /// The stage of the failure.
        stage: Stage,
        /// The operating system's error.
        source: io::Error,
    },
    /// The remote closed the socket without a Disconnect.
    ///
    /// Most nodes close it if the dialled key is not theirs, or if they do not speak RLPx at all.
    #[error("{stage}: the remote closed the connection")]
    Closed {
        /// The stage of the failure.
        stage: Stage,
    },
    /// The encryption handshake failed.
    #[error("{stage}: {source}")]
    Handshake {
        /// The stage of the failure.
        stage: Stage,
        /// The error of the handshake.
        source: HandshakeError,
    },
    /// The remote's first frame cannot be opened.
    ///
    /// If the MAC of its header is wrong, the two sides do not share a key.
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
    /// The key in the remote's Hello is not the key of the encryption handshake.
    #[error("hello: the remote claims to be {claimed}, but has the key of {proven}")]
    UnexpectedIdentity {
        /// The node id of the key in the Hello.
        claimed: crate::node::NodeId,
        /// The node id that the remote proved.
        proven: crate::node::NodeId,
    },
    /// The remote refused the connection.
    #[error("hello: the remote refused: {}",
        .0.map_or_else(|| "no reason given".to_owned(), |reason| reason.to_string()))]
    Refused(Option<DisconnectReason>),
    /// This side refused the connection, with this reason.
    #[error("hello: refused by this side: {0}")]
    RefusedHere(DisconnectReason),
    /// The remote speaks none of this side's protocols.
    ///
    /// The reason sent to the remote is [`DisconnectReason::USELESS_PEER`].
    #[error("hello: no protocol is shared: this side speaks {}, the remote {}", names(.ours), names(.theirs))]
    NothingShared {
        /// This side's protocols.
        ours: Vec<Capability>,
        /// The remote's protocols, in the order of its Hello.
        theirs: Vec<Capability>,
    },
    /// This side has banned the node.
    ///
    /// The reason sent to the node is [`DisconnectReason::REQUESTED`].
    #[error("hello: {id} is banned by this side")]
    Banned {
        /// The id of the banned node.
        id: crate::node::NodeId,
    },
    /// The setup took too long.
    #[error("{stage}: timed out after {after:?}")]
    TimedOut {
        /// The stage of the failure.
        stage: Stage,
        /// The deadline that passed.
        after: Duration,
    },
}

impl SetupError {
    /// Returns the stage of the failure.
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

    /// Returns who is at fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } | Self::Closed { .. } | Self::TimedOut { .. } => Fault::Io,
            Self::Handshake { source, .. } => source.fault(),
            Self::RefusedHere(_) | Self::NothingShared { .. } | Self::Banned { .. } => Fault::Local,
            _ => Fault::Remote,
        }
    }

    /// Returns whether a frame has arrived whose MAC proves the remote's key.
    ///
    /// The ack alone does not prove the remote's key: anybody who knows our public key can make an
    /// ack.
    pub(crate) fn proves_the_remote(&self) -> bool {
        match self {
            Self::Frame(error) => !is_unproven(error),
            Self::Hello(_) | Self::NotHello { .. } | Self::UnexpectedIdentity { .. } => true,
            Self::Refused(_) => true,
            // The remote's protocols are known only from its Hello, which is such a frame.
            Self::NothingShared { .. } => true,
            _ => false,
        }
    }

    /// Returns the reason in the Disconnect of either side; `None` if there is none.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Refused(reason) => *reason,
            _ => self.reason_to_send(),
        }
    }

    /// Returns the reason to send to the remote before the socket is closed.
    ///
    /// Returns `None` for errors before the secrets exist, because nothing can be sent then.
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

/// Returns the names of the first few capabilities as text.
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

/// Returns the reason to send after a frame that cannot be accepted.
///
/// Returns `None` if the MAC is wrong, because the frame's sender is then unknown.
pub(crate) fn breach_reason(error: &FrameError) -> Option<DisconnectReason> {
    (!is_unproven(error)).then_some(DisconnectReason::BREACH_OF_PROTOCOL)
}

fn is_unproven(error: &FrameError) -> bool {
    matches!(
        error,
        FrameError::HeaderMac | FrameError::BodyMac | FrameError::AlreadyFailed
    )
}

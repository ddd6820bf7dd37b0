use std::sync::Arc;
use std::time::Duration;

use super::{CommErrorKind, EstablishError, IdentityError, PeerId};
use crate::node::NodeId;
use crate::runtime::RuntimeError;
use crate::server::{DialError, StartError};
use crate::settings::TooSmall;

/// Why the layer did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommStartError {
    /// A setting of the layer is too small.
    #[error(transparent)]
    Config(#[from] TooSmall),
    /// This node's identity is not valid.
    #[error("this node's identity: {0}")]
    Identity(#[from] IdentityError),
    /// There is no tokio runtime, or it cannot run the layer.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] StartError),
}

/// Why an operation of [`Comm`](super::Comm) failed, or a message was not delivered.
///
/// An error is cheap to clone. If a dial fails, each message that waited for it receives a clone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommError {
    /// The layer has been stopped, or is stopping.
    #[error("comm is stopping")]
    Stopped,
    /// The destination is this node itself.
    #[error("the destination is this node itself")]
    SelfDial,
    /// The connection to the node could not be made.
    #[error(transparent)]
    Dial(Arc<DialError>),
    /// The node is connected but does not speak `comm/1`.
    #[error("{node} does not speak comm/1")]
    NotSupported {
        /// The node that was asked.
        node: NodeId,
    },
    /// The node is connected but did not prove an identity.
    #[error("no identity of {node} was established: {source}")]
    Handshake {
        /// The node at the other end.
        node: NodeId,
        /// Why the proof failed.
        source: EstablishError,
    },
    /// The node proved an identity other than the expected one.
    ///
    /// [`Comm::handshake`](super::Comm::handshake) accepts the expected identity only. All other
    /// calls also accept another identity of the same organisation.
    #[error("{actual} answers where {expected} was expected")]
    IdMismatch {
        /// The expected id.
        expected: PeerId,
        /// The id that the node proved.
        actual: PeerId,
    },
    /// The sending queue or memory budget is full, or too many dials are running.
    #[error("the sending queue is full")]
    Full,
    /// The message is larger than the configuration allows.
    #[error("a message of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// The encoded size of the message in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection ended.
    #[error("the connection was closed: {0}")]
    PeerClosed(ConnectionEnd),
    /// The time limit expired.
    #[error("timed out")]
    Deadline {
        /// The time limit.
        after: Duration,
    },
    /// The receiver answered that it could not accept the message.
    #[error("{0}")]
    Nack(String),
    /// More acknowledgements are required than there are receivers.
    #[error("{min} acknowledgements are required of {peers} peers")]
    TooManyAcks {
        /// How many are required.
        min: usize,
        /// How many peers there are, counting duplicates once.
        peers: usize,
    },
    /// The message has already been acknowledged or rejected.
    #[error("the message has already been acknowledged")]
    AlreadyAcknowledged,
    /// The sender did not request an acknowledgement.
    #[error("the sender requested no acknowledgement")]
    NoAckWanted,
}

impl CommError {
    /// Returns the kind of the error, without details.
    #[must_use]
    pub fn kind(&self) -> CommErrorKind {
        match self {
            Self::Stopped => CommErrorKind::Stopped,
            Self::SelfDial => CommErrorKind::SelfDial,
            Self::Dial(_) => CommErrorKind::Dial,
            Self::NotSupported { .. } => CommErrorKind::NotSupported,
            Self::Handshake { .. } => CommErrorKind::Handshake,
            Self::IdMismatch { .. } => CommErrorKind::IdMismatch,
            Self::Full => CommErrorKind::Full,
            Self::TooLarge { .. } => CommErrorKind::TooLarge,
            Self::PeerClosed(_) => CommErrorKind::Closed,
            Self::Deadline { .. } => CommErrorKind::Deadline,
            Self::Nack(_) => CommErrorKind::Nack,
            Self::TooManyAcks { .. } | Self::AlreadyAcknowledged | Self::NoAckWanted => {
                CommErrorKind::Misuse
            }
        }
    }

    /// Returns the kind of the error as a metric label. Kinds that never make a message fail share
    /// the label `other`.
    pub(crate) fn label(&self) -> &'static str {
        match self.kind() {
            CommErrorKind::Nack | CommErrorKind::Misuse => "other",
            kind => kind.name(),
        }
    }
}

impl From<DialError> for CommError {
    fn from(error: DialError) -> Self {
        Self::Dial(Arc::new(error))
    }
}

/// Why a connection of an identity ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// [`Comm::close_conn`](super::Comm::close_conn) was called.
    #[error("on request")]
    Requested,
    /// The layer was stopped.
    #[error("comm is stopping")]
    Stopped,
    /// Another connection of the same identity replaced this one.
    #[error("replaced by another connection")]
    Replaced,
    /// The remote sent a malformed message.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// The identity has expired, or was withdrawn.
    #[error("the identity is no longer valid")]
    IdentityGone,
    /// Either side or a failure ended the transport.
    #[error("the transport ended")]
    TransportEnded,
}

impl ConnectionEnd {
    /// Whether this side ended the connection; the remote is then not presumed dead.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(
            self,
            Self::Requested | Self::Stopped | Self::Replaced | Self::IdentityGone
        )
    }
}

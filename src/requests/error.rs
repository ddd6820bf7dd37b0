use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::channel::SendError;
use crate::node::NodeId;
use crate::peer::{Peer, PeerOutcome};

/// Why a request got no response.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The protocol does not run with this node.
    #[error("cannot send {request} to {peer}: the protocol does not run with it")]
    NotConnected {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
    },
    /// No peer gave an accepted response.
    ///
    /// As many were asked as [allowed](super::AnyPeer::tries), or all there are.
    #[error("{}", nobody(request, *tried, last.as_deref()))]
    Nobody {
        /// The request's name.
        request: &'static str,
        /// How many nodes were asked; 0 if there was none to ask.
        tried: usize,
        /// Why the request to the last of these nodes failed.
        last: Option<Box<RequestError>>,
    },
    /// The caller's function did not [accept](super::AnyPeer::accept) the response.
    #[error("the response of {peer} to {request} was not accepted")]
    Rejected {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
    },
    /// The response did not arrive in time.
    #[error("{peer} did not answer {request} within {limit:?}")]
    TimedOut {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// The connection to the peer ended, or the protocol ended.
    #[error("{} disconnected before it answered {request}{}", .peer.id(), why(.peer))]
    Gone {
        /// The peer; its [`outcome`](Peer::outcome) contains the reason.
        peer: Peer,
        /// The request's name.
        request: &'static str,
    },
    /// The peer has the maximum number of open requests, and the configuration forbids waiting.
    #[error("{peer} already has {limit} open requests: {request} was not sent")]
    TooManyOpen {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
        /// The maximum number of open requests.
        limit: usize,
    },
    /// The response is larger than the configuration allows.
    #[error("{peer} answered {request} with {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
        /// The response's size in bytes.
        size: usize,
        /// The largest allowed size in bytes.
        limit: usize,
    },
    /// The peer answered with a message that does not answer this request.
    #[error("{peer} answered {request} with message {code:#04x}, which does not answer it")]
    WrongResponse {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
        /// The code of the message, relative to the protocol.
        code: u64,
    },
    /// The request cannot be sent.
    #[error("{request} cannot be sent to {peer}: {source}")]
    Send {
        /// The node.
        peer: NodeId,
        /// The request's name.
        request: &'static str,
        /// The cause.
        source: SendError,
    },
}

fn why(peer: &Peer) -> String {
    let outcome = peer.outcome();
    outcome.map_or_else(String::new, |outcome| format!(": {}", outcome.error))
}

fn nobody(request: &str, tried: usize, last: Option<&RequestError>) -> String {
    last.map_or_else(
        || format!("there is no peer to send {request} to"),
        |last| format!("none of {tried} peers has answered {request}; the last one: {last}"),
    )
}

impl RequestError {
    /// Returns the node that was asked, or the last node if several were asked.
    #[must_use]
    pub fn peer(&self) -> Option<NodeId> {
        match self {
            Self::Nobody { last, .. } => last.as_ref().and_then(|last| last.peer()),
            Self::Gone { peer, .. } => Some(peer.id()),
            Self::NotConnected { peer, .. }
            | Self::TimedOut { peer, .. }
            | Self::Rejected { peer, .. }
            | Self::TooManyOpen { peer, .. }
            | Self::TooLarge { peer, .. }
            | Self::WrongResponse { peer, .. }
            | Self::Send { peer, .. } => Some(*peer),
        }
    }

    /// Returns how the connection ended, if that is why there is no response.
    ///
    /// Returns `None` for other causes, and while the connection has not ended yet: if only the
    /// protocol ended, if the request's time limit passed meanwhile, or in a function of the peer.
    #[must_use]
    pub fn outcome(&self) -> Option<Arc<PeerOutcome>> {
        match self {
            Self::Gone { peer, .. } => peer.outcome(),
            Self::Nobody { last, .. } => last.as_ref()?.outcome(),
            _ => None,
        }
    }

    /// Waits for the outcome of a peer that has gone, at most until `deadline`.
    pub(super) async fn settled(&self, deadline: Instant) {
        if let Self::Gone { peer, .. } = self {
            // If the time is up, the error is as good as it can be.
            timeout_at(deadline, peer.settled()).await.ok();
        }
    }
}

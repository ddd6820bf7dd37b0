use std::error::Error;

use crate::channel::SendError;
use crate::fault::Fault;
use crate::message::MessageError;
use crate::p2p::DisconnectReason;
use crate::stage::Stage;

/// How a protocol's handler failed, which decides the Disconnect that the remote is sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The handler ends the peer with a reason of its own choice.
    #[error("the protocol asked for a disconnect: {0}")]
    Disconnect(#[from] DisconnectReason),
    /// The remote sent a message that the protocol cannot accept.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A message could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
    /// The handler panicked.
    #[error("the protocol's handler panicked")]
    Panicked,
}

impl ProtocolError {
    /// Wraps any error, or a text.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// The stage at which it happened, always [`Stage::Protocol`].
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::Protocol
    }

    /// Who is at fault: the remote for a message that it sent, else this side.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match find::<MessageError>(self) {
            Some(_) => Fault::Remote,
            None => Fault::Local,
        }
    }

    /// The reason that the remote is told: a [`DisconnectReason`] or [`MessageError`] anywhere in
    /// the chain of sources, else
    /// [`SUBPROTOCOL_ERROR`](DisconnectReason::SUBPROTOCOL_ERROR).
    #[must_use]
    pub fn reason(&self) -> DisconnectReason {
        if let Some(reason) = find::<DisconnectReason>(self) {
            return *reason;
        }
        let invalid = find::<MessageError>(self).is_some()
            || matches!(find(self), Some(SendError::InvalidCode { .. }));
        match invalid {
            true => DisconnectReason::BREACH_OF_PROTOCOL,
            false => DisconnectReason::SUBPROTOCOL_ERROR,
        }
    }

    /// Whether the handler failed only because the connection was already ending.
    pub(crate) fn is_shutting_down(&self) -> bool {
        matches!(find(self), Some(SendError::ShuttingDown))
    }

    fn root(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Disconnect(reason) => reason,
            Self::Message(error) => error,
            Self::Send(error) => error,
            Self::Other(error) => error.as_ref(),
            Self::Panicked => self,
        }
    }
}

/// The first error of type `T` among an error and its sources.
fn find<T: Error + 'static>(error: &ProtocolError) -> Option<&T> {
    let mut next = Some(error.root());
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

impl From<std::io::Error> for ProtocolError {
    fn from(error: std::io::Error) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapper<E: Error + 'static>(#[source] E);

    #[test]
    fn the_reason_is_found_through_the_chain_of_sources() {
        let quitting = ProtocolError::other(Wrapper(Wrapper(DisconnectReason::CLIENT_QUITTING)));
        assert_eq!(quitting.reason(), DisconnectReason::CLIENT_QUITTING);
        let malformed = ProtocolError::other(Wrapper(MessageError::UnknownCode { code: 9 }));
        assert_eq!(malformed.reason(), DisconnectReason::BREACH_OF_PROTOCOL);
        assert_eq!(malformed.fault(), Fault::Remote);
        let plain = ProtocolError::other("out of cheese");
        assert_eq!(plain.reason(), DisconnectReason::SUBPROTOCOL_ERROR);
        assert_eq!(plain.fault(), Fault::Local);
    }

    #[test]
    fn a_reason_of_the_handlers_own_is_kept() {
        let error = ProtocolError::from(DisconnectReason::TOO_MANY_PEERS);
        assert_eq!(error.reason(), DisconnectReason::TOO_MANY_PEERS);
    }
}

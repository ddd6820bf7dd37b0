use std::error::Error;
use std::io;

use crate::channel::SendError;
use crate::fault::Fault;
use crate::message::{Breach, MessageError};
use crate::p2p::DisconnectReason;
use crate::stage::Stage;

/// The maximum number of errors examined in a chain of sources.
const LONGEST_CHAIN: usize = 64;

/// Why a protocol's handler failed, which determines the reason in the Disconnect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The handler disconnects the peer with a reason of its choice.
    #[error("the protocol requested a disconnect: {0}")]
    Disconnect(#[from] DisconnectReason),
    /// The remote sent a message that the protocol cannot accept.
    #[error("{0}")]
    Message(#[from] MessageError),
    /// A message could not be sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// Anything else.
    #[error("{0}")]
    Other(#[source] Box<dyn Error + Send + Sync>),
    /// The handler panicked.
    #[error("the protocol's handler panicked")]
    Panicked,
}

impl ProtocolError {
    /// Wraps any error, or a text.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// Returns the stage at which the error occurred, always [`Stage::Protocol`].
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::Protocol
    }

    /// Returns the side at fault: the remote if its message caused this, else this side.
    #[must_use]
    pub fn fault(&self) -> Fault {
        if self.is_breach() {
            Fault::Remote
        } else {
            Fault::Local
        }
    }

    /// The reason to send in the Disconnect.
    ///
    /// The reason comes from a [`DisconnectReason`] or [`MessageError`] anywhere in the chain of
    /// sources, even inside a [`std::io::Error`] or a `transparent` error. If there is neither, the
    /// reason is [`BREACH_OF_PROTOCOL`](DisconnectReason::BREACH_OF_PROTOCOL) if a message with an
    /// [invalid code](SendError::InvalidCode) could not be sent, and
    /// [`SUBPROTOCOL_ERROR`](DisconnectReason::SUBPROTOCOL_ERROR) in all other cases. With
    /// [`NETWORK_ERROR`](DisconnectReason::NETWORK_ERROR) the connection closes without a
    /// Disconnect.
    #[must_use]
    pub fn reason(&self) -> DisconnectReason {
        if let Some(reason) = chain(self).find_map(DisconnectReason::of) {
            return reason;
        }
        let refused = |error| matches!(error, &SendError::InvalidCode { .. });
        if self.is_breach() || self.send_error().is_some_and(refused) {
            DisconnectReason::BREACH_OF_PROTOCOL
        } else {
            DisconnectReason::SUBPROTOCOL_ERROR
        }
    }

    /// Whether the handler failed only because the connection was already ending.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.send_error().is_some_and(SendError::is_shutting_down)
    }

    fn is_breach(&self) -> bool {
        chain(self).any(|error| error.is::<MessageError>() || error.is::<Breach>())
    }

    fn send_error(&self) -> Option<&SendError> {
        chain(self).find_map(|error| error.downcast_ref())
    }
}

/// Returns an error and its sources.
///
/// The sources include the error inside an [`io::Error`], although [`Error::source`] does not
/// return that error.
fn chain(error: &ProtocolError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    // Bounded, since a faulty error type can produce an endless chain.
    std::iter::successors(Some(first), |error| next_in_chain(*error)).take(LONGEST_CHAIN)
}

fn next_in_chain<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let io: Option<&io::Error> = error.downcast_ref();
    match io.and_then(io::Error::get_ref) {
        Some(made_from) => Some(made_from),
        None => error.source(),
    }
}

impl From<io::Error> for ProtocolError {
    fn from(error: io::Error) -> Self {
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

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent<E: Error + 'static>(E);

    #[test]
    fn no_wrapper_hides_the_reason_or_the_side_at_fault() {
        let reason = DisconnectReason::TOO_MANY_PEERS;
        let wrappers: [fn(ProtocolError) -> ProtocolError; 5] = [
            ProtocolError::other,
            |error| ProtocolError::other(Transparent(error)),
            |error| ProtocolError::other(Wrapper(error)),
            |error| io::Error::other(error).into(),
            |error| ProtocolError::other(std::sync::Arc::new(Transparent(error))),
        ];
        let malformed = MessageError::UnknownCode { code: 9 };
        for (n, outer) in wrappers.into_iter().enumerate() {
            for inner in wrappers {
                assert_eq!(outer(inner(reason.into())).reason(), reason, "{n}");
                let hidden = outer(inner(ProtocolError::other(Transparent(reason))));
                assert_eq!(hidden.reason(), reason, "{n}");
                let hidden = outer(inner(ProtocolError::other(Transparent(malformed.clone()))));
                assert_eq!(hidden.reason(), DisconnectReason::BREACH_OF_PROTOCOL, "{n}");
                assert_eq!(hidden.fault(), Fault::Remote, "{n}");
                let closed = outer(inner(SendError::ShuttingDown.into()));
                assert!(closed.is_shutting_down(), "{n}");
            }
        }
    }

    #[test]
    fn the_handlers_own_reason_is_kept() {
        let error = ProtocolError::from(DisconnectReason::TOO_MANY_PEERS);
        assert_eq!(error.reason(), DisconnectReason::TOO_MANY_PEERS);
    }
}

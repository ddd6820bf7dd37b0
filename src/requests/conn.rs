use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::messages::Messages;
use super::registry::Listed;
use super::remote::Remote;
use crate::channel::{ProtocolSender, Received, SendError};
use crate::message::RequestMessages;
use crate::peer::ProtocolError;

/// A protocol's channel to one peer, which handles requests and responses internally.
///
/// [`recv`](Self::recv) returns the protocol's other messages. Requests are answered and responses
/// reach their callers as long as the protocol's function runs, even while it waits for something
/// else. So a request may be answered before an earlier message of another kind is received. They
/// wait while the protocol's queue is full of messages that the function has not received. An error
/// at such a time ends the function, and disconnects the peer. When the channel is dropped, all open
/// requests to the peer fail, and the peer's requests are no longer answered.
pub struct RequestConn<M: RequestMessages> {
    messages: Arc<Messages<M>>,
    remote: Arc<Remote<M>>,
    _listed: Listed<M>,
}

impl<M: RequestMessages> RequestConn<M> {
    pub(super) fn new(
        messages: Arc<Messages<M>>,
        remote: Arc<Remote<M>>,
        listed: Listed<M>,
    ) -> Self {
        Self {
            messages,
            remote,
            _listed: listed,
        }
    }

    /// Returns the next message that is neither a request nor a response.
    ///
    /// `None` means that the connection is ending.
    ///
    /// # Errors
    /// [`ProtocolError`] for a message that does not decode, a request without an answer function,
    /// an answer function that fails, or an unexpected or late response with
    /// [`Unasked::Disconnect`](super::Unasked::Disconnect).
    ///
    /// # Cancel safety
    /// Cancel safe. Answers in progress continue.
    pub async fn recv(&mut self) -> Result<Option<Received<M>>, ProtocolError> {
        poll_fn(|cx| self.messages.poll_recv(cx)).await
    }

    /// Like [`ProtocolConn::send`](crate::ProtocolConn::send).
    ///
    /// # Errors
    /// Same as [`ProtocolConn::send`](crate::ProtocolConn::send).
    pub async fn send(&self, message: &M) -> Result<(), SendError> {
        self.remote.sender.send(message).await
    }

    /// Returns a sender that other tasks can use.
    #[must_use]
    pub fn sender(&self) -> ProtocolSender<M> {
        self.remote.sender.clone()
    }
}

impl<M: RequestMessages> Drop for RequestConn<M> {
    fn drop(&mut self) {
        self.messages.end();
    }
}

impl<M: RequestMessages> fmt::Debug for RequestConn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RequestConn");
        out.field("peer", &self.remote.peer.id());
        out.finish_non_exhaustive()
    }
}

impl<M: RequestMessages> Stream for RequestConn<M> {
    type Item = Result<Received<M>, ProtocolError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_recv(cx).map(Result::transpose)
    }
}

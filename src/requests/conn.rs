use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tokio::task::coop;

use super::config::{RequestConfig, Unasked};
use super::registry::Listed;
use super::remote::{Remote, Settled};
use super::serving::Serving;
use crate::channel::{ProtocolReceiver, ProtocolSender, Received, SendError};
use crate::message::{MessageError, RequestMessages, Role};
use crate::peer::ProtocolError;

/// A protocol's channel to one peer, which handles requests and responses internally.
///
/// [`recv`](Self::recv) returns the protocol's other messages. While [`recv`](Self::recv) is
/// awaited, requests are answered and responses reach their callers. So the task that owns this
/// channel must not await a request to the same peer. When the channel is dropped, all open
/// requests to the peer fail, and the peer's requests are no longer answered.
pub struct RequestConn<M: RequestMessages> {
    receiver: ProtocolReceiver<M>,
    remote: Arc<Remote<M>>,
    serving: Serving<M>,
    /// A received request that can neither be answered nor wait in the queue yet.
    held_back: Option<Received<M>>,
    unasked: Unasked,
    late: Unasked,
    _listed: Listed<M>,
}

impl<M: RequestMessages> RequestConn<M> {
    pub(super) fn new(
        receiver: ProtocolReceiver<M>,
        remote: Arc<Remote<M>>,
        serving: Serving<M>,
        config: &RequestConfig,
        listed: Listed<M>,
    ) -> Self {
        Self {
            receiver,
            remote,
            serving,
            held_back: None,
            unasked: config.unasked(),
            late: config.late(),
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
    /// [`Unasked::Disconnect`].
    ///
    /// # Cancel safety
    /// Answers in progress continue with the next call.
    pub async fn recv(&mut self) -> Result<Option<Received<M>>, ProtocolError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Like [`ProtocolConn::send`](crate::ProtocolConn::send).
    ///
    /// # Errors
    /// Same as [`ProtocolConn::send`](crate::ProtocolConn::send).
    pub fn send<'a>(
        &'a self,
        message: &'a M,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'a {
        // This is not an `async fn`, because the future of an `async fn` would be `Send` only if
        // all of `self` were `Sync`.
        self.remote.sender.send(message)
    }

    /// Returns a sender that other tasks can use.
    #[must_use]
    pub fn sender(&self) -> ProtocolSender<M> {
        self.remote.sender.clone()
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Received<M>>, ProtocolError>> {
        loop {
            if let Poll::Ready(error) = self.serving.poll(cx) {
                return Poll::Ready(Err(error));
            }
            if let Some(request) = self.held_back.take() {
                if !self.has_room(&request) {
                    self.held_back = Some(request);
                    // When an answer completes, it makes room and wakes this task.
                    return Poll::Pending;
                }
                self.serving.take(request, cx)?;
            }
            // Messages that arrive without a pause must not starve other tasks of this thread.
            let turn = ready!(coop::poll_proceed(cx));
            let message = ready!(self.receiver.poll_message(cx)).transpose()?;
            turn.made_progress();
            let Some(message) = message else {
                return Poll::Ready(Ok(None));
            };
            match message.role() {
                Role::Other => return Poll::Ready(Ok(Some(message))),
                Role::Request(_) => self.held_back = Some(message),
                Role::Response(id) => self.settle(id, message)?,
            }
        }
    }

    fn has_room(&self, request: &Received<M>) -> bool {
        self.serving.has_room() || self.serving.answers_when_busy(request.code())
    }

    fn settle(&self, id: u64, response: Received<M>) -> Result<(), MessageError> {
        let code = response.code();
        let (policy, rule) = match self.remote.settle(id, response) {
            Settled::Asked => return Ok(()),
            Settled::Late => (
                self.late,
                "a response must arrive before its request has ended",
            ),
            Settled::Unasked => (
                self.unasked,
                "a response must answer a request that was sent",
            ),
        };
        match policy {
            Unasked::Ignore => Ok(()),
            Unasked::Disconnect => Err(MessageError::NotAllowed { code, rule }),
        }
    }
}

impl<M: RequestMessages> fmt::Debug for RequestConn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RequestConn");
        out.field("peer", &self.remote.peer.id());
        out.finish_non_exhaustive()
    }
}

impl<M: RequestMessages> Unpin for RequestConn<M> {}

impl<M: RequestMessages> Stream for RequestConn<M> {
    type Item = Result<Received<M>, ProtocolError>;

    fn poll_next(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx).map(Result::transpose)
    }
}

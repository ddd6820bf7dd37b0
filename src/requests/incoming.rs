//! The messages that one peer sends, sorted into requests, responses and others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::task::coop;

use super::config::{RequestConfig, Unasked};
use super::remote::{Remote, Settled};
use super::serving::Serving;
use crate::channel::{Charge, ProtocolReceiver, Received};
use crate::message::{Message, MessageError, RequestMessages, Role};
use crate::peer::ProtocolError;

pub(super) struct Incoming<M: RequestMessages> {
    receiver: ProtocolReceiver<M>,
    remote: Arc<Remote<M>>,
    serving: Serving<M>,
    /// A received request that can neither be answered nor wait in the queue yet.
    held_back: Option<Received<M>>,
    /// Other messages that arrived while nothing awaited them.
    ///
    /// They keep their room, so the protocol's limits apply to them. They are decoded when they are
    /// read, because decoded messages can be larger.
    unread: VecDeque<(Message, Charge)>,
    /// An error that occurred while nothing awaited a message.
    failed: Option<ProtocolError>,
    /// Whether the end of the connection was seen.
    ended: bool,
    unasked: Unasked,
    late: Unasked,
}

impl<M: RequestMessages> Incoming<M> {
    pub(super) fn new(
        receiver: ProtocolReceiver<M>,
        remote: Arc<Remote<M>>,
        serving: Serving<M>,
        config: &RequestConfig,
    ) -> Self {
        Self {
            receiver,
            remote,
            serving,
            held_back: None,
            unread: VecDeque::new(),
            failed: None,
            ended: false,
            unasked: config.unasked(),
            late: config.late(),
        }
    }

    /// Returns the next message that is neither a request nor a response.
    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Received<M>>, ProtocolError>> {
        if let Some(unread) = self.take_unread() {
            return Poll::Ready(unread);
        }
        let other = ready!(self.poll_other(cx))?;
        Poll::Ready(self.decode(other))
    }

    /// Returns what [`poll_unread`](Self::poll_unread) has kept, in order.
    pub(super) fn take_unread(&mut self) -> Option<Result<Option<Received<M>>, ProtocolError>> {
        if let Some(unread) = self.unread.pop_front() {
            if self.unread.is_empty() {
                self.unread = VecDeque::new();
            }
            return Some(self.decode(Some(unread)));
        }
        let failed = self.failed.take().map(Err);
        failed.or_else(|| self.ended.then_some(Ok(None)))
    }

    /// Handles requests and responses, and keeps all else for [`poll_recv`](Self::poll_recv).
    ///
    /// Returns whether there is something to receive.
    pub(super) fn poll_unread(&mut self, cx: &mut Context<'_>) -> bool {
        while self.failed.is_none() && !self.ended {
            match self.poll_other(cx) {
                Poll::Pending => return !self.unread.is_empty(),
                Poll::Ready(Ok(Some(other))) => self.unread.push_back(other),
                Poll::Ready(Ok(None)) => self.ended = true,
                Poll::Ready(Err(error)) => self.failed = Some(error),
            }
        }
        // No response arrives any more. The function might wait for one before it receives again.
        self.remote.end();
        true
    }

    fn decode(
        &self,
        message: Option<(Message, Charge)>,
    ) -> Result<Option<Received<M>>, ProtocolError> {
        let decoded = message.map(|(message, charge)| self.receiver.decode(message, charge));
        Ok(decoded.transpose()?)
    }

    fn poll_other(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(Message, Charge)>, ProtocolError>> {
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
            let next = ready!(self.receiver.poll_undecoded(cx));
            turn.made_progress();
            let Some((message, charge)) = next else {
                return Poll::Ready(Ok(None));
            };
            if !M::has_id(message.code) {
                return Poll::Ready(Ok(Some((message, charge))));
            }
            let message = self.receiver.decode(message, charge)?;
            match message.role() {
                Role::Request(_) => self.held_back = Some(message),
                Role::Response(id) => self.settle(id, message)?,
                Role::Other => {
                    return Poll::Ready(Err(ProtocolError::from(MessageError::NotAllowed {
                        code: message.code(),
                        rule: "a message with an id must be a request or a response",
                    })));
                }
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

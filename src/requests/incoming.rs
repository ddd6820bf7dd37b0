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

/// A message, the end of the connection, or an error.
pub(super) type Next<M> = Result<Option<Received<M>>, ProtocolError>;

pub(super) struct Incoming<M: RequestMessages> {
    receiver: ProtocolReceiver<M>,
    remote: Arc<Remote<M>>,
    serving: Serving<M>,
    /// Requests that can neither be answered nor wait to be answered yet.
    ///
    /// They do not hold up responses, without which answers in progress might never complete. They
    /// and unread messages keep their room, so the protocol's limits apply to them. They are decoded
    /// late, because decoded messages can be larger.
    held_back: VecDeque<(Message, Charge)>,
    /// Other messages that arrived while nothing awaited them.
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
            held_back: VecDeque::new(),
            unread: VecDeque::new(),
            failed: None,
            ended: false,
            unasked: config.unasked(),
            late: config.late(),
        }
    }

    /// Returns the next message that is neither a request nor a response.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Next<M>> {
        if let Some(kept) = ready!(self.poll_kept(cx)) {
            return Poll::Ready(kept);
        }
        let other = ready!(self.poll_other(cx))?;
        Poll::Ready(self.decode(other))
    }

    /// Returns what [`poll_unread`](Self::poll_unread) has kept, in order. `None` if it has kept
    /// nothing.
    pub(super) fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Next<M>>> {
        if !self.unread.is_empty() {
            // A task that takes what another task reads must not starve others either.
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        Poll::Ready(self.take_kept())
    }

    fn take_kept(&mut self) -> Option<Next<M>> {
        if let Some(unread) = self.unread.pop_front() {
            if self.unread.is_empty() {
                self.unread = VecDeque::new();
            }
            unread.1.note_taken();
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
                Poll::Ready(Ok(None)) => self.end(),
                Poll::Ready(Err(error)) => self.failed = Some(error),
            }
        }
        true
    }

    /// Returns the error that [`poll_unread`](Self::poll_unread) has kept.
    pub(super) fn take_failed(&mut self) -> Option<ProtocolError> {
        self.failed.take()
    }

    fn end(&mut self) {
        self.ended = true;
        // No response arrives any more. The function might wait for one before it receives again.
        self.remote.end();
        if self.receiver.is_discarded() {
            self.unread = VecDeque::new();
        }
    }

    fn decode(&self, message: Option<(Message, Charge)>) -> Next<M> {
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
            self.take_held_back(cx)?;
            // Messages that arrive without a pause must not starve other tasks of this thread.
            let turn = ready!(coop::poll_proceed(cx));
            let next = ready!(self.receiver.poll_undecoded(cx));
            turn.made_progress();
            let Some((message, charge)) = next else {
                return Poll::Ready(Ok(None));
            };
            if M::is_request(message.code) {
                if self.held_back.is_empty() && self.has_room(message.code) {
                    self.answer(message, charge, cx)?;
                } else {
                    self.held_back.push_back((message, charge));
                }
            } else if M::is_response(message.code) {
                let message = self.receiver.decode(message, charge)?;
                self.settle(message)?;
            } else {
                return Poll::Ready(Ok(Some((message, charge))));
            }
        }
    }

    /// Takes the requests that can be answered or wait to be answered. When an answer completes, it
    /// makes room for the next and wakes this task.
    fn take_held_back(&mut self, cx: &mut Context<'_>) -> Result<(), ProtocolError> {
        while let Some((request, _)) = self.held_back.front()
            && self.has_room(request.code)
            && let Some((request, charge)) = self.held_back.pop_front()
        {
            if self.held_back.is_empty() {
                self.held_back = VecDeque::new();
            }
            self.answer(request, charge, cx)?;
        }
        Ok(())
    }

    fn answer(
        &mut self,
        request: Message,
        charge: Charge,
        cx: &mut Context<'_>,
    ) -> Result<(), ProtocolError> {
        let request = self.receiver.decode(request, charge)?;
        self.serving.take(request, cx)
    }

    fn has_room(&self, code: u64) -> bool {
        self.serving.has_room() || self.serving.answers_when_busy(code)
    }

    fn settle(&self, response: Received<M>) -> Result<(), MessageError> {
        let code = response.code();
        let Role::Response(id) = response.role() else {
            return Err(MessageError::NotAllowed {
                code,
                rule: "a message with the code of a response must be one",
            });
        };
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

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;

use super::inbox::{Charge, InboxReader};
use super::{Inbox, MessageTap, Received};
use crate::message::{Message, MessageError, WireMessage};

/// The receiving direction of a [`ProtocolConn`](super::ProtocolConn).
///
/// As a [`Stream`], the receiver yields the results of [`recv`](Self::recv), and ends when `recv`
/// returns `None`.
pub struct ProtocolReceiver<M = Message> {
    inbox: InboxReader,
    tap: MessageTap,
    messages: PhantomData<fn() -> M>,
}

impl<M: WireMessage> ProtocolReceiver<M> {
    /// Like [`ProtocolConn::recv`](super::ProtocolConn::recv).
    ///
    /// # Cancel safety
    /// Cancel safe.
    ///
    /// # Errors
    /// As for [`ProtocolConn::recv`](super::ProtocolConn::recv).
    pub async fn recv(&mut self) -> Result<Option<Received<M>>, MessageError> {
        poll_fn(|cx| self.poll_message(cx)).await.transpose()
    }

    /// Like [`recv`](Self::recv), but polls.
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Received<M>, MessageError>>> {
        let taken = ready!(self.poll_undecoded(cx));
        Poll::Ready(taken.map(|(message, charge)| self.decode(message, charge)))
    }

    /// Takes the next message out of the queue. The message keeps its room.
    pub(crate) fn poll_undecoded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Message, Charge)>> {
        self.inbox.poll_recv(cx)
    }

    /// Decodes a message that was taken out of the queue, and counts it as received.
    pub(crate) fn decode(
        &self,
        message: Message,
        charge: Charge,
    ) -> Result<Received<M>, MessageError> {
        self.tap
            .received(message.code, charge.bytes(), charge.received_at());
        M::decode(message).map(|message| Received::new(message, charge))
    }
}

impl<M> ProtocolReceiver<M> {
    pub(super) fn new(inbox: Inbox, tap: MessageTap) -> Self {
        Self {
            inbox: inbox.reader(),
            tap,
            messages: PhantomData,
        }
    }

    /// Whether no more messages are delivered, not even those that were received before.
    pub(crate) fn is_discarded(&self) -> bool {
        self.inbox.is_discarded()
    }

    /// Like [`ProtocolConn::dropped`](super::ProtocolConn::dropped).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    pub(super) fn retyped<N>(self) -> ProtocolReceiver<N> {
        ProtocolReceiver {
            inbox: self.inbox,
            tap: self.tap,
            messages: PhantomData,
        }
    }
}

impl<M: WireMessage> Stream for ProtocolReceiver<M> {
    type Item = Result<Received<M>, MessageError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<M> fmt::Debug for ProtocolReceiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolReceiver").finish_non_exhaustive()
    }
}

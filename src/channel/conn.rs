use std::fmt;

use super::receiver::ProtocolReceiver;
use super::sender::{ProtocolSender, Target};
use super::{Inbox, Lane, MessageTap, ProtocolLimits, Received, SendError, TrySendError};
use crate::message::{Encoded, Message, MessageError, WireMessage};
use crate::rlp::RlpValue;

/// One protocol's own channel to one peer.
///
/// Codes are relative to the protocol. Receiving needs `&mut`; sending does not. [`split`] returns
/// two halves for two tasks, and [`sender`] returns a clonable sender.
///
/// After the connection or its receiving half is dropped, no more received messages are accepted.
/// The peer is disconnected when the protocol's function returns.
///
/// [`split`]: Self::split
/// [`sender`]: Self::sender
pub struct ProtocolConn<M = Message> {
    receiver: ProtocolReceiver<M>,
    sender: ProtocolSender<M>,
}

impl<M: WireMessage> ProtocolConn<M> {
    pub(crate) fn new(inbox: Inbox, lane: Lane, length: u64, tap: MessageTap) -> Self {
        Self {
            receiver: ProtocolReceiver::new(inbox, tap),
            sender: ProtocolSender::to_lane(lane, length),
        }
    }

    /// Returns two connected ends in memory, to test a handler without a network.
    ///
    /// Each direction holds as much as a real connection's queue does by default.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use peermux::{Message, ProtocolConn};
    ///
    /// let (mut left, right) = ProtocolConn::<Message>::pair();
    /// right.send(&Message::new(7, vec![0xc0])).await.unwrap();
    /// let message = left.recv().await.unwrap().expect("still open");
    /// assert_eq!((message.code, message.size()), (7, 1));
    ///
    /// drop(right);
    /// assert!(left.recv().await.unwrap().is_none());
    /// # });
    /// ```
    #[must_use]
    pub fn pair() -> (Self, Self) {
        Self::pair_with(ProtocolLimits::default())
    }

    /// Like [`pair`](Self::pair), with your own bounds.
    #[must_use]
    pub fn pair_with(limits: ProtocolLimits) -> (Self, Self) {
        let (left, right) = (Inbox::new(limits, None), Inbox::new(limits, None));
        let length = M::LENGTH.unwrap_or(u64::MAX);
        let end = |own: &Inbox, other: &Inbox| Self {
            receiver: ProtocolReceiver::new(own.clone(), MessageTap::silent()),
            sender: ProtocolSender::new(Target::pair(other.clone()), length),
        };
        (end(&left, &right), end(&right, &left))
    }

    /// Returns the next message, or `None` once the peer is ending.
    ///
    /// A handler should return after `None`. If the remote has disconnected, the messages that it
    /// sent before are still delivered; after a local disconnect no more messages are delivered. A
    /// message takes up room in the protocol's bounds until it is dropped.
    ///
    /// # Cancel safety
    /// Cancel safe.
    ///
    /// # Errors
    /// [`MessageError`] for a typed message that cannot be decoded. The message is consumed, and
    /// receiving can continue. Most protocols return the error, which disconnects the peer with
    /// [`BREACH_OF_PROTOCOL`](crate::DisconnectReason::BREACH_OF_PROTOCOL).
    pub async fn recv(&mut self) -> Result<Option<Received<M>>, MessageError> {
        self.receiver.recv().await
    }

    /// How many received messages have been dropped so far.
    ///
    /// Messages are dropped only if the protocol chose
    /// [`WhenFull::DropNewest`](crate::WhenFull::DropNewest) or
    /// [`WhenOver::DropNewest`](crate::WhenOver::DropNewest). On a [pair](Self::pair_with) nothing
    /// is dropped, because the other end's `send` waits.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.receiver.dropped()
    }

    /// Queues a message, waiting while the protocol's sending queue is full.
    ///
    /// Messages from one task arrive in the order in which the task sends them. If many tasks wait,
    /// a message may be encoded a second time.
    ///
    /// # Cancel safety
    /// Cancel safe: a call that is dropped has either queued the message or done nothing.
    ///
    /// # Errors
    /// [`SendError`] if the message cannot be sent. The error does not harm the connection.
    pub async fn send(&self, message: &M) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// Like [`send`](Self::send), but also waits until the message is handed to the socket.
    ///
    /// # Cancel safety
    /// A call that is dropped may or may not have sent the message.
    ///
    /// # Errors
    /// [`SendError`] if the message cannot be sent, or the connection ended before it was written.
    pub async fn send_and_flush(&self, message: &M) -> Result<(), SendError> {
        self.sender.send_and_flush(message).await
    }

    /// Queues a message if there is room now.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if [`send`](Self::send) would wait, otherwise
    /// [`TrySendError::Refused`] with the reason why the message cannot be sent.
    pub fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// Like [`send`](Self::send), with a message that is already encoded.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn send_encoded(&self, message: &Encoded<M>) -> Result<(), SendError> {
        self.sender.send_encoded(message).await
    }

    /// Like [`try_send`](Self::try_send), with a message that is already encoded.
    ///
    /// # Errors
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_encoded(&self, message: &Encoded<M>) -> Result<(), TrySendError> {
        self.sender.try_send_encoded(message)
    }

    /// Returns a sender for other tasks.
    #[must_use]
    pub fn sender(&self) -> ProtocolSender<M> {
        self.sender.clone()
    }

    /// The memory budget of the connection's server; an in-memory pair has none.
    pub(crate) fn node(&self) -> Option<&super::NodeBudget> {
        self.sender.node()
    }

    /// Returns the same connection, but with another type of messages.
    pub(crate) fn retyped<N: WireMessage>(self) -> ProtocolConn<N> {
        ProtocolConn {
            receiver: self.receiver.retyped(),
            sender: self.sender.retyped(),
        }
    }

    /// Splits the connection into its two directions.
    #[must_use]
    pub fn split(self) -> (ProtocolSender<M>, ProtocolReceiver<M>) {
        (self.sender, self.receiver)
    }
}

/// Raw messages.
impl ProtocolConn {
    /// Sends a message of `code` whose payload is `value`, like [`send`](Self::send).
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use peermux::{Message, ProtocolConn, RlpValue};
    ///
    /// let (mut left, right) = ProtocolConn::<Message>::pair();
    /// right.send_rlp(7, &(5u64, "cat".to_owned())).await.unwrap();
    /// let message = left.recv().await.unwrap().expect("still open");
    /// assert_eq!(message.payload[..], *b"\xc5\x05\x83cat");
    /// assert_eq!(<(u64, String)>::from_rlp(&message.payload), Ok((5, "cat".to_owned())));
    /// # });
    /// ```
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn send_rlp(&self, code: u64, value: &impl RlpValue) -> Result<(), SendError> {
        self.sender.send_rlp(code, value).await
    }

    /// Queues a message of `code` whose payload is `value`, like [`try_send`](Self::try_send).
    ///
    /// # Errors
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_rlp(&self, code: u64, value: &impl RlpValue) -> Result<(), TrySendError> {
        self.sender.try_send_rlp(code, value)
    }
}

impl<M> fmt::Debug for ProtocolConn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolConn").finish_non_exhaustive()
    }
}

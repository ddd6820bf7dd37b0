use std::future::Future;

use super::{ProtocolConn, ProtocolReceiver, ProtocolSender, Received, SendError, TrySendError};
use crate::message::{MessageError, WireMessage};

/// Both directions of a protocol's messages with one peer.
///
/// Most handlers need nothing else of a [`ProtocolConn`]. A handler that accepts any
/// `MessageChannel` also works with a channel that records, delays or filters messages, or that a
/// test drives. Implement [`MessageSource`] for your own receiving side, and [`MessageSink`] for
/// your own sending side. A type with both is a channel, and so is a pair of them: the pair that
/// [`split`](ProtocolConn::split) returns, or one half of it next to a type of your own.
///
/// ```
/// # tokio_test::block_on(async {
/// use std::collections::VecDeque;
///
/// use peermux::channel::{MessageChannel, MessageSource};
/// use peermux::{MessageError, ProtocolConn, ProtocolError, Received, WireMessage, messages};
///
/// messages! {
///     pub enum Echo, length = 2 {
///         0x00 => Ask(String),
///         0x01 => Answer(String),
///     }
/// }
///
/// async fn answer(
///     conn: &mut impl MessageChannel<Message = Echo>,
/// ) -> Result<(), ProtocolError> {
///     while let Some(message) = conn.recv().await? {
///         if let Echo::Ask(text) = message.into_inner() {
///             conn.send(&Echo::Answer(text)).await?;
///         }
///     }
///     Ok(())
/// }
///
/// /// A wrapper, which notes the code of each message that was received.
/// struct Recorded<S>(S, Vec<u64>);
///
/// impl<S: MessageSource> MessageSource for Recorded<S> {
///     type Message = S::Message;
///
///     async fn recv(&mut self) -> Result<Option<Received<S::Message>>, MessageError> {
///         let message = self.0.recv().await?;
///         self.1.extend(message.iter().map(|message| message.code()));
///         Ok(message)
///     }
/// }
///
/// /// A fake, which has received these messages.
/// struct Script(VecDeque<Echo>);
///
/// impl MessageSource for Script {
///     type Message = Echo;
///
///     async fn recv(&mut self) -> Result<Option<Received<Echo>>, MessageError> {
///         let next = self.0.pop_front();
///         Ok(next.map(|message| {
///             let size = message.encode().len();
///             Received::detached(message, size)
///         }))
///     }
/// }
///
/// let script = Script([Echo::Ask("a".into()), Echo::Answer("b".into())].into());
/// let (near, mut far) = ProtocolConn::pair();
/// let (sender, _) = near.split();
/// let mut channel = (sender, Recorded(script, Vec::new()));
/// answer(&mut channel).await.unwrap();
/// assert_eq!(channel.1.1, [0, 1]);
/// assert!(matches!(*far.recv().await.unwrap().unwrap(), Echo::Answer(_)));
/// # });
/// ```
pub trait MessageChannel: MessageSource + MessageSink<<Self as MessageSource>::Message> {}

impl<C: MessageSource + MessageSink<<C as MessageSource>::Message>> MessageChannel for C {}

/// The receiving side of a [`MessageChannel`].
pub trait MessageSource: Send {
    /// The protocol's messages.
    type Message: WireMessage + Sync;

    /// Returns the next message, or `None` once there will be no more.
    ///
    /// # Cancel safety
    /// Cancel safe.
    ///
    /// # Errors
    /// [`MessageError`] for a message that cannot be decoded.
    fn recv(
        &mut self,
    ) -> impl Future<Output = Result<Option<Received<Self::Message>>, MessageError>> + Send;
}

/// The sending side of a [`MessageChannel`] with messages `M`.
pub trait MessageSink<M>: Send + Sync {
    /// Queues a message; waits while there is no room.
    ///
    /// # Errors
    /// [`SendError`] if the message cannot be sent.
    fn send(&self, message: &M) -> impl Future<Output = Result<(), SendError>> + Send;

    /// Queues a message if there is room now.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if [`send`](Self::send) would wait, otherwise
    /// [`TrySendError::Refused`] with the reason why the message cannot be sent.
    fn try_send(&self, message: &M) -> Result<(), TrySendError>;
}

impl<M: WireMessage + Sync> MessageSource for ProtocolReceiver<M> {
    type Message = M;

    async fn recv(&mut self) -> Result<Option<Received<M>>, MessageError> {
        self.recv().await
    }
}

impl<M: WireMessage + Sync> MessageSink<M> for ProtocolSender<M> {
    async fn send(&self, message: &M) -> Result<(), SendError> {
        self.send(message).await
    }

    fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        self.try_send(message)
    }
}

impl<M: WireMessage + Sync> MessageSource for ProtocolConn<M> {
    type Message = M;

    async fn recv(&mut self) -> Result<Option<Received<M>>, MessageError> {
        self.recv().await
    }
}

impl<M: WireMessage + Sync> MessageSink<M> for ProtocolConn<M> {
    async fn send(&self, message: &M) -> Result<(), SendError> {
        self.send(message).await
    }

    fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        self.try_send(message)
    }
}

/// A sending and a receiving side together are a channel.
impl<S: Send, R: MessageSource> MessageSource for (S, R) {
    type Message = R::Message;

    async fn recv(&mut self) -> Result<Option<Received<R::Message>>, MessageError> {
        self.1.recv().await
    }
}

impl<M: Sync, S: MessageSink<M>, R: Send + Sync> MessageSink<M> for (S, R) {
    async fn send(&self, message: &M) -> Result<(), SendError> {
        self.0.send(message).await
    }

    fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        self.0.try_send(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ProtocolLimits;
    use crate::message::Message;

    /// Passes on messages until one does not fit.
    async fn relay<M>(
        from: &mut impl MessageSource<Message = M>,
        to: &impl MessageSink<M>,
    ) -> Result<(), TrySendError> {
        while let Ok(Some(message)) = from.recv().await {
            to.try_send(&message)?;
        }
        Ok(())
    }

    async fn echo(conn: &mut impl MessageChannel<Message = Message>) {
        while let Ok(Some(message)) = conn.recv().await {
            conn.send(&message).await.expect("fits");
        }
    }

    #[tokio::test]
    async fn the_halves_of_a_split_connection_are_a_source_and_a_sink() {
        let (near, far) = ProtocolConn::pair();
        let limits = ProtocolLimits::default().with_queue_messages(1);
        let (next, mut end) = ProtocolConn::pair_with(limits);
        let ((_, mut receiver), (sender, _)) = (near.split(), next.split());
        for code in 0..2 {
            far.send(&Message::new(code, vec![0xc0])).await.unwrap();
        }
        let relayed = tokio::spawn(async move { relay(&mut receiver, &sender).await });
        assert!(matches!(relayed.await.unwrap(), Err(TrySendError::Full)));
        assert_eq!(
            end.recv().await.unwrap().map(|message| message.code),
            Some(0)
        );
    }

    #[tokio::test]
    async fn both_halves_together_are_a_channel() {
        let (near, far) = ProtocolConn::pair();
        let mut halves = near.split();
        let echoing = tokio::spawn(async move { echo(&mut halves).await });
        let (sender, mut answers) = far.split();
        sender.send(&Message::new(7, vec![0xc0])).await.unwrap();
        drop(sender);
        let answer = answers.recv().await.unwrap().expect("echoes");
        assert_eq!((answer.code, answer.size()), (7, 1));
        echoing.await.expect("ends with its source");
    }
}

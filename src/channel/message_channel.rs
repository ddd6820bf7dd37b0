use std::future::Future;

use super::{Received, SendError};
use crate::message::{MessageError, WireMessage};

/// Both directions of a protocol's messages with one peer.
///
/// Most handlers need nothing else of a [`ProtocolConn`](super::ProtocolConn). A handler that
/// accepts any `MessageChannel` also works with a channel that records, delays or filters messages,
/// or that a test drives.
///
/// ```
/// # tokio_test::block_on(async {
/// use peermux::channel::MessageChannel;
/// use peermux::{
///     MessageError, ProtocolConn, ProtocolError, Received, SendError, WireMessage, messages,
/// };
///
/// messages! {
///     pub enum Echo, length = 2 {
///         0x00 => Ask(String),
///         0x01 => Answer(String),
///     }
/// }
///
/// /// Notes the code of each message that was received.
/// struct Recorded<C>(C, Vec<u64>);
///
/// impl<C: MessageChannel> MessageChannel for Recorded<C> {
///     type Message = C::Message;
///
///     async fn recv(&mut self) -> Result<Option<Received<C::Message>>, MessageError> {
///         let message = self.0.recv().await?;
///         self.1.extend(message.iter().map(|message| message.code()));
///         Ok(message)
///     }
///
///     async fn send(&self, message: &C::Message) -> Result<(), SendError> {
///         self.0.send(message).await
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
/// let (near, far) = ProtocolConn::pair();
/// for message in [Echo::Ask("a".into()), Echo::Answer("b".into())] {
///     far.send(&message).await.unwrap();
/// }
/// let (_, mut answers) = far.split();
/// let mut recorded = Recorded(near, Vec::new());
/// answer(&mut recorded).await.unwrap();
/// assert_eq!(recorded.1, [0, 1]);
/// assert!(matches!(*answers.recv().await.unwrap().unwrap(), Echo::Answer(_)));
/// # });
/// ```
pub trait MessageChannel: Send + Sync {
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

    /// Queues a message; waits while there is no room.
    ///
    /// # Errors
    /// [`SendError`] if the message cannot be sent.
    fn send(&self, message: &Self::Message) -> impl Future<Output = Result<(), SendError>> + Send;
}

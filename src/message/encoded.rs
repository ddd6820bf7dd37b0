use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;

use super::WireMessage;

/// A message that is encoded once, to send it many times or to many peers.
///
/// Clones share the payload's memory. A protocol of raw [`Message`](crate::Message)s needs no
/// `Encoded` to pass on what it has received: a raw message is sent as it is, and a clone of it can
/// be [decoded](WireMessage::decode).
///
/// ```
/// # tokio_test::block_on(async {
/// use peermux::message::Encoded;
/// use peermux::{ProtocolConn, messages};
///
/// messages! {
///     pub enum News, length = 1 {
///         0x00 => Text(String),
///     }
/// }
///
/// let news = Encoded::of(&News::Text("rain".into()));
/// let (mut near, far) = ProtocolConn::<News>::pair();
/// far.send_encoded(&news).await.unwrap();
/// far.sender().try_send_encoded(&news).unwrap();
/// let News::Text(text) = near.recv().await.unwrap().unwrap().into_inner();
/// assert_eq!(text, "rain");
/// # });
/// ```
pub struct Encoded<M> {
    code: u64,
    payload: Bytes,
    messages: PhantomData<fn(M)>,
}

impl<M: WireMessage> Encoded<M> {
    /// Encodes a message.
    #[must_use]
    pub fn of(message: &M) -> Self {
        Self {
            code: message.code(),
            payload: message.encode(),
            messages: PhantomData,
        }
    }
}

impl<M> Encoded<M> {
    /// The code, relative to the protocol.
    #[must_use]
    pub fn code(&self) -> u64 {
        self.code
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }
}

impl<M> Clone for Encoded<M> {
    fn clone(&self) -> Self {
        Self {
            code: self.code,
            payload: self.payload.clone(),
            messages: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Encoded<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, payload, .. } = self;
        write!(
            f,
            "Encoded {{ code: {code:#04x}, {} bytes }}",
            payload.len()
        )
    }
}

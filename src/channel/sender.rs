use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::NodeBudget;
use super::gate::Encode;
use super::inbox::PushError;
use super::{Inbox, Lane, SendError, TrySendError};
use crate::message::payload::encode_shared;
use crate::message::{Encoded, Message, WireMessage};
use crate::rlp::RlpValue;
use crate::rlpx::{MAX_PAYLOAD, max_payload};
use crate::spare::Spare;

/// The sending direction of a [`ProtocolConn`](super::ProtocolConn); cheap to clone.
pub struct ProtocolSender<M = Message> {
    target: Target,
    /// How many codes the protocol has.
    length: u64,
    messages: PhantomData<fn(M)>,
}

/// Where a protocol's messages go.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The peer's write gate.
    Lane(Lane),
    /// The other end of an in-memory pair.
    Pair(Arc<PairEnd>),
}

impl Target {
    pub(crate) fn pair(other: Inbox) -> Self {
        Self::Pair(Arc::new(PairEnd(other)))
    }

    /// The largest payload that a message of this code can have.
    fn max_payload(&self, code: u64) -> usize {
        match self {
            Self::Lane(lane) => max_payload(lane.id(code)),
            Self::Pair(_) => MAX_PAYLOAD,
        }
    }

    async fn send(&self, encode: impl Encode) -> Result<(), SendError> {
        match self {
            Self::Lane(lane) => lane.send(encode).await,
            Self::Pair(other) => other.send(encode).await,
        }
    }

    fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        match self {
            Self::Lane(lane) => lane.try_send(code, payload),
            Self::Pair(other) => other.try_send(code, payload),
        }
    }

    /// The buffers into which large payloads are encoded.
    fn spare(&self) -> Option<&Arc<Spare>> {
        match self {
            Self::Lane(lane) => Some(lane.spare()),
            Self::Pair(_) => None,
        }
    }
}

/// The inbox of a pair's other end. The inbox is closed when the last sender into it is dropped.
#[derive(Debug)]
pub(crate) struct PairEnd(Inbox);

impl PairEnd {
    async fn send(&self, encode: impl Encode) -> Result<(), SendError> {
        let (code, payload) = encode()?;
        let room = self.0.reserve_when_free(payload.len()).await;
        let room = room.map_err(|_| SendError::ShuttingDown)?;
        room.push(Message { code, payload }, Instant::now());
        Ok(())
    }

    fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        let room = self.0.reserve(payload.len()).map_err(|error| match error {
            PushError::Full | PushError::TooFast | PushError::OverBudget(_) => TrySendError::Full,
            PushError::Closed => SendError::ShuttingDown.into(),
        })?;
        room.push(Message { code, payload }, Instant::now());
        Ok(())
    }
}

impl Drop for PairEnd {
    fn drop(&mut self) {
        self.0.close(true);
    }
}

impl<M: WireMessage> ProtocolSender<M> {
    /// Like [`ProtocolConn::send`](super::ProtocolConn::send).
    ///
    /// # Errors
    /// As for [`ProtocolConn::send`](super::ProtocolConn::send).
    pub async fn send(&self, message: &M) -> Result<(), SendError> {
        self.target.send(|| self.checked(message)).await
    }

    /// Like [`ProtocolConn::send_and_flush`](super::ProtocolConn::send_and_flush).
    ///
    /// # Errors
    /// As for [`ProtocolConn::send_and_flush`](super::ProtocolConn::send_and_flush).
    pub async fn send_and_flush(&self, message: &M) -> Result<(), SendError> {
        let encode = || self.checked(message);
        match &self.target {
            Target::Lane(lane) => lane.send_and_flush(encode).await,
            Target::Pair(other) => other.send(encode).await,
        }
    }

    /// Like [`ProtocolConn::try_send`](super::ProtocolConn::try_send).
    ///
    /// # Errors
    /// As for [`ProtocolConn::try_send`](super::ProtocolConn::try_send).
    pub fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        let (code, payload) = self.checked(message)?;
        self.target.try_send(code, payload)
    }

    /// Like [`send`](Self::send), with a message that is already encoded.
    ///
    /// A message that is encoded once can be sent to many peers or in many calls. To send to all
    /// peers at once, see [`Server::broadcast`](crate::Server::broadcast).
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn send_encoded(&self, message: &Encoded<M>) -> Result<(), SendError> {
        self.target.send(|| self.checked_encoded(message)).await
    }

    /// Like [`try_send`](Self::try_send), with a message that is already encoded.
    ///
    /// # Errors
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_encoded(&self, message: &Encoded<M>) -> Result<(), TrySendError> {
        let (code, payload) = self.checked_encoded(message)?;
        self.target.try_send(code, payload)
    }

    fn checked_encoded(&self, message: &Encoded<M>) -> Result<(u64, Bytes), SendError> {
        let (code, payload) = (message.code(), message.payload().clone());
        self.check::<M>(code, payload.len())?;
        Ok((code, payload))
    }

    fn checked(&self, message: &M) -> Result<(u64, Bytes), SendError> {
        let code = message.code();
        let payload = message.to_payload(self.target.spare().map(Arc::as_ref));
        self.check::<M>(code, payload.len())?;
        Ok((code, payload))
    }
}

/// Raw messages.
impl ProtocolSender {
    /// Like [`ProtocolConn::send_rlp`](super::ProtocolConn::send_rlp).
    ///
    /// # Errors
    /// As for [`ProtocolConn::send_rlp`](super::ProtocolConn::send_rlp).
    pub async fn send_rlp(&self, code: u64, value: &impl RlpValue) -> Result<(), SendError> {
        let encode = || Ok((code, self.encoded(code, value)?));
        self.target.send(encode).await
    }

    /// Like [`ProtocolConn::try_send_rlp`](super::ProtocolConn::try_send_rlp).
    ///
    /// # Errors
    /// As for [`ProtocolConn::try_send_rlp`](super::ProtocolConn::try_send_rlp).
    pub fn try_send_rlp(&self, code: u64, value: &impl RlpValue) -> Result<(), TrySendError> {
        let payload = self.encoded(code, value)?;
        self.target.try_send(code, payload)
    }

    fn encoded(&self, code: u64, value: &impl RlpValue) -> Result<Bytes, SendError> {
        let spare = self.target.spare().map(Arc::as_ref);
        let payload = encode_shared(value.rlp_size(), spare, |out| value.write_rlp(out));
        self.check::<Message>(code, payload.len())?;
        Ok(payload)
    }
}

impl<M> ProtocolSender<M> {
    /// Checks that a message of this code and size can be sent.
    fn check<N: WireMessage>(&self, code: u64, size: usize) -> Result<(), SendError> {
        let length = self.length;
        if code >= length {
            return Err(SendError::InvalidCode { code, length });
        }
        match self.target.max_payload(code).min(N::max_size(code)) {
            limit if size > limit => Err(SendError::TooLarge { code, size, limit }),
            _ => Ok(()),
        }
    }

    /// Creates a sender for the lane of a protocol with `length` codes.
    pub(crate) fn to_lane(lane: Lane, length: u64) -> Self {
        Self::new(Target::Lane(lane), length)
    }

    pub(super) fn new(target: Target, length: u64) -> Self {
        Self {
            target,
            length,
            messages: PhantomData,
        }
    }

    /// The memory budget of the connection's server; an in-memory pair has none.
    pub(super) fn node(&self) -> Option<&NodeBudget> {
        match &self.target {
            Target::Lane(lane) => Some(lane.budget().node()),
            Target::Pair(_) => None,
        }
    }

    /// The lane into which the messages go; an in-memory pair has none.
    pub(crate) fn into_lane(self) -> Option<Lane> {
        match self.target {
            Target::Lane(lane) => Some(lane),
            Target::Pair(_) => None,
        }
    }

    pub(super) fn retyped<N>(self) -> ProtocolSender<N> {
        ProtocolSender::new(self.target, self.length)
    }
}

impl<M> Clone for ProtocolSender<M> {
    fn clone(&self) -> Self {
        Self::new(self.target.clone(), self.length)
    }
}

impl<M> fmt::Debug for ProtocolSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolSender").finish_non_exhaustive()
    }
}

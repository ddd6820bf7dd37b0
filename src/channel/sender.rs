use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use super::inbox::PushError;
use super::{Inbox, Lane, SendError, TrySendError};
use crate::message::{Message, WireMessage};
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

    /// What large payloads are encoded into.
    fn spare(&self) -> Option<&Arc<Spare>> {
        match self {
            Self::Lane(lane) => Some(lane.spare()),
            Self::Pair(_) => None,
        }
    }
}

/// The inbox of a pair's other end, closed with the last sender into it.
#[derive(Debug)]
pub(crate) struct PairEnd(Inbox);

impl PairEnd {
    async fn send(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        let room = self.0.reserve_when_free(payload.len()).await;
        let room = room.map_err(|_| SendError::ShuttingDown)?;
        room.push(Message { code, payload });
        Ok(())
    }

    fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        let room = self.0.reserve(payload.len()).map_err(|error| match error {
            PushError::Full | PushError::OverBudget(_) => TrySendError::Full,
            PushError::Closed => SendError::ShuttingDown.into(),
        })?;
        room.push(Message { code, payload });
        Ok(())
    }
}

impl Drop for PairEnd {
    fn drop(&mut self) {
        self.0.close(true);
    }
}

impl<M: WireMessage> ProtocolSender<M> {
    /// As [`ProtocolConn::send`](super::ProtocolConn::send).
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, message: &M) -> Result<(), SendError> {
        let (code, payload) = self.checked(message)?;
        match &self.target {
            Target::Lane(lane) => lane.send(code, payload).await,
            Target::Pair(other) => other.send(code, payload).await,
        }
    }

    /// As [`ProtocolConn::send_and_flush`](super::ProtocolConn::send_and_flush).
    ///
    /// # Errors
    /// As there.
    pub async fn send_and_flush(&self, message: &M) -> Result<(), SendError> {
        let (code, payload) = self.checked(message)?;
        match &self.target {
            Target::Lane(lane) => lane.send_and_flush(code, payload).await,
            Target::Pair(other) => other.send(code, payload).await,
        }
    }

    /// As [`ProtocolConn::try_send`](super::ProtocolConn::try_send).
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, message: &M) -> Result<(), TrySendError> {
        let (code, payload) = self.checked(message)?;
        match &self.target {
            Target::Lane(lane) => lane.try_send(code, payload),
            Target::Pair(other) => other.try_send(code, payload),
        }
    }

    fn checked(&self, message: &M) -> Result<(u64, Bytes), SendError> {
        let (code, length) = (message.code(), self.length);
        let payload = message.to_payload(self.target.spare().map(Arc::as_ref));
        if code >= length {
            return Err(SendError::InvalidCode { code, length });
        }
        let limit = self.target.max_payload(code);
        match payload.len() {
            size if size > limit => Err(SendError::TooLarge { size, limit }),
            _ => Ok((code, payload)),
        }
    }
}

impl<M> ProtocolSender<M> {
    pub(super) fn new(target: Target, length: u64) -> Self {
        Self {
            target,
            length,
            messages: PhantomData,
        }
    }

    /// The memory of large payloads that this connection's server has; an in-memory pair has none.
    #[cfg(feature = "comm")]
    pub(super) fn shared_spare(&self) -> Option<Arc<Spare>> {
        self.target.spare().cloned()
    }

    /// The lane that the messages go into, for queues that feed it; an in-memory pair has none.
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

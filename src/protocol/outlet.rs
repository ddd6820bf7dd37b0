use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "comm")]
use tokio::sync::oneshot;

use super::inbox::PushError;
use super::{Inbox, Message, SendError, TrySendError};
use crate::peer::Lane;
use crate::rlpx::MAX_PAYLOAD;

/// Where a protocol's messages go.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    length: u64,
    target: Target,
}

#[derive(Debug, Clone)]
enum Target {
    /// The peer's write gate.
    Gate(Lane),
    /// The other end of an in-memory pair.
    Pair(Arc<PairEnd>),
}

/// The inbox of a pair's other end, closed with the last sender into it.
#[derive(Debug)]
struct PairEnd(Inbox);

impl Drop for PairEnd {
    fn drop(&mut self) {
        self.0.close(true);
    }
}

impl Outlet {
    /// Into a lane of the peer's write gate, for a protocol of `length` codes.
    pub(crate) fn gate(lane: Lane, length: u64) -> Self {
        Self {
            length,
            target: Target::Gate(lane),
        }
    }

    /// Into the inbox of a pair's other end.
    pub(crate) fn pair(other: Inbox, length: u64) -> Self {
        Self {
            length,
            target: Target::Pair(Arc::new(PairEnd(other))),
        }
    }

    pub(crate) async fn send(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        self.check(code, &payload)?;
        match &self.target {
            Target::Gate(lane) => lane.send(code, payload).await,
            Target::Pair(other) => {
                let room = other.0.reserve_when_free(payload.len()).await;
                let charge = room.map_err(|_| SendError::ShuttingDown)?;
                other.0.push(Message { code, payload }, charge);
                Ok(())
            }
        }
    }

    pub(crate) async fn send_and_flush(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        self.check(code, &payload)?;
        match &self.target {
            Target::Gate(lane) => lane.send_and_flush(code, payload).await,
            Target::Pair(_) => self.send(code, payload).await,
        }
    }

    /// Queues a message; what is returned tells when it was handed to the socket.
    #[cfg(feature = "comm")]
    pub(crate) async fn send_tracked(
        &self,
        code: u64,
        payload: Bytes,
    ) -> Result<oneshot::Receiver<()>, SendError> {
        self.check(code, &payload)?;
        match &self.target {
            Target::Gate(lane) => lane.send_tracked(code, payload).await,
            Target::Pair(_) => {
                self.send(code, payload).await?;
                let (written, receipt) = oneshot::channel();
                // The receipt is right here.
                let _ = written.send(());
                Ok(receipt)
            }
        }
    }

    pub(crate) fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        self.check(code, &payload)?;
        match &self.target {
            Target::Gate(lane) => lane.try_send(code, payload),
            Target::Pair(other) => match other.0.reserve(payload.len()) {
                Ok(charge) => {
                    other.0.push(Message { code, payload }, charge);
                    Ok(())
                }
                Err(PushError::Full | PushError::OverBudget(_)) => Err(TrySendError::Full),
                Err(PushError::Closed) => Err(SendError::ShuttingDown.into()),
            },
        }
    }

    fn check(&self, code: u64, payload: &Bytes) -> Result<(), SendError> {
        if code >= self.length {
            return Err(SendError::InvalidCode {
                code,
                length: self.length,
            });
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(SendError::TooLarge {
                size: payload.len(),
                limit: MAX_PAYLOAD,
            });
        }
        Ok(())
    }
}

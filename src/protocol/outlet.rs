#[cfg(feature = "comm")]
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::inbox::PushError;
use super::{Inbox, Message, SendError, TrySendError};
use crate::peer::Lane;
#[cfg(feature = "comm")]
use crate::peer::Source;
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

    /// Sets where messages come from that [`fill`](Self::fill) queues. False if nothing is asked
    /// there: then they count as written once queued.
    #[cfg(feature = "comm")]
    pub(crate) fn set_source(&self, source: Arc<dyn Source>) -> bool {
        match &self.target {
            Target::Gate(lane) => {
                lane.set_source(source);
                true
            }
            Target::Pair(_) => false,
        }
    }

    /// Queues messages for as long as there is room, and leaves the others where they are. Codes
    /// and sizes are valid.
    #[cfg(feature = "comm")]
    pub(crate) fn fill<T>(
        &self,
        from: &mut VecDeque<T>,
        size: impl Fn(&T) -> usize,
        mut message: impl FnMut(T) -> (u64, Bytes),
    ) -> Result<(), TrySendError> {
        let end = match &self.target {
            Target::Gate(lane) => return lane.fill(from, size, message),
            Target::Pair(end) => end,
        };
        while let Some(first) = from.front() {
            let charge = end.0.reserve(size(first)).map_err(refusal)?;
            if let Some((code, payload)) = from.pop_front().map(&mut message) {
                end.0.push(Message { code, payload }, charge);
            }
        }
        Ok(())
    }

    /// Waits until there is room for a message of `size` bytes, where the source is not asked.
    /// Cancel safe.
    #[cfg(feature = "comm")]
    pub(crate) async fn room(&self, size: usize) -> Result<(), SendError> {
        match &self.target {
            Target::Gate(_) => std::future::pending().await,
            Target::Pair(end) => {
                let room = end.0.reserve_when_free(size).await;
                room.map(drop).map_err(|_| SendError::ShuttingDown)
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
                Err(error) => Err(refusal(error)),
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

fn refusal(error: PushError) -> TrySendError {
    match error {
        PushError::Full | PushError::OverBudget(_) => TrySendError::Full,
        PushError::Closed => SendError::ShuttingDown.into(),
    }
}

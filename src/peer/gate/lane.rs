use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Frame, WriteGate};
use crate::protocol::{SendError, TrySendError};

/// One protocol's way into the write gate. Codes are made absolute here.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    gate: Arc<WriteGate>,
    index: usize,
    offset: u64,
}

impl Lane {
    pub(crate) fn new(gate: &Arc<WriteGate>, index: usize, offset: u64) -> Self {
        Self {
            gate: Arc::clone(gate),
            index,
            offset,
        }
    }

    /// Queues a message, waiting for room. Cancel safe: dropped early it has queued nothing.
    pub(crate) async fn send(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        self.push_when_room(self.frame(code, payload, None)).await
    }

    /// Queues a message and waits until it was handed to the socket.
    pub(crate) async fn send_and_flush(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        let written = self.send_tracked(code, payload).await?;
        written.await.map_err(|_| SendError::ShuttingDown)
    }

    /// Queues a message, as [`send`](Self::send); what is returned tells when it was handed to
    /// the socket, or fails if it never is.
    pub(crate) async fn send_tracked(
        &self,
        code: u64,
        payload: Bytes,
    ) -> Result<oneshot::Receiver<()>, SendError> {
        let (flushed, written) = oneshot::channel();
        self.push_when_room(self.frame(code, payload, Some(flushed)))
            .await?;
        Ok(written)
    }

    pub(crate) fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        let frame = self.frame(code, payload, None);
        self.gate.push(self.index, &mut Some(frame))
    }

    fn frame(&self, code: u64, payload: Bytes, flushed: Option<oneshot::Sender<()>>) -> Frame {
        Frame {
            id: self.offset + code,
            payload,
            flushed,
        }
    }

    async fn push_when_room(&self, frame: Frame) -> Result<(), SendError> {
        let mut frame = Some(frame);
        if let Some(done) = settled(self.gate.push(self.index, &mut frame)) {
            return done;
        }
        let room = &self.gate.room[self.index];
        loop {
            let freed = room.notified();
            tokio::pin!(freed);
            // Registered before the attempt, so that room which comes in between is not missed.
            freed.as_mut().enable();
            if let Some(done) = settled(self.gate.push(self.index, &mut frame)) {
                // One batch wakes one sender; there may be room for the next one too.
                room.notify_one();
                return done;
            }
            freed.await;
        }
    }
}

/// The end of an attempt, unless it has to be repeated when there is room.
fn settled(attempt: Result<(), TrySendError>) -> Option<Result<(), SendError>> {
    match attempt {
        Ok(()) => Some(Ok(())),
        Err(TrySendError::Refused(error)) => Some(Err(error)),
        Err(TrySendError::Full) => None,
    }
}

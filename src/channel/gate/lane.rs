use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::futures::Notified;
use tokio::sync::oneshot;

use super::LaneSource;
use super::{Flushed, NotQueued, QueuedMessage, WriteGate};
use crate::channel::{SendError, TrySendError};
use crate::spare::Spare;

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

    /// The message id of one of the protocol's codes on this connection.
    pub(crate) fn id(&self, code: u64) -> u64 {
        self.offset + code
    }

    /// The memory that large payloads are encoded into.
    pub(crate) fn spare(&self) -> &Arc<Spare> {
        &self.gate.spare
    }

    /// Queues a message, waiting for room. Cancel safe: dropped early it has queued nothing.
    pub(crate) async fn send(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        self.push_when_room(self.frame(code, payload, None)).await
    }

    /// Queues a message and waits until it was handed to the socket.
    pub(crate) async fn send_and_flush(&self, code: u64, payload: Bytes) -> Result<(), SendError> {
        let (flushed, written) = oneshot::channel();
        let flushed = Some(Flushed::One(flushed));
        self.push_when_room(self.frame(code, payload, flushed))
            .await?;
        match written.await {
            Ok(()) => Ok(()),
            // Why is not certain before the peer ends.
            Err(_) => Err(self.gate.shut().await),
        }
    }

    /// Sets where messages come from that [`fill`](Self::fill) queues.
    pub(crate) fn set_source(&self, source: Arc<dyn LaneSource>) {
        self.gate.sources.set(self.index, source);
    }

    /// Queues messages for as long as there is room; the others are left where they are.
    pub(crate) fn fill<T>(
        &self,
        from: &mut VecDeque<T>,
        size: impl Fn(&T) -> usize,
        mut message: impl FnMut(T) -> (u64, Bytes),
    ) -> Result<(), TrySendError> {
        self.gate.fill(self.index, from, size, |next| {
            let (code, payload) = message(next);
            self.frame(code, payload, Some(Flushed::Counted))
        })
    }

    pub(crate) fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        let frame = self.frame(code, payload, None);
        let pushed = self.gate.push(self.index, &mut Some(frame));
        pushed.map_err(|not_queued| match not_queued {
            NotQueued::Refused(error) => TrySendError::Refused(error),
            NotQueued::Full | NotQueued::OverBudget(_) => TrySendError::Full,
        })
    }

    fn frame(&self, code: u64, payload: Bytes, flushed: Option<Flushed>) -> QueuedMessage {
        QueuedMessage {
            id: self.id(code),
            payload,
            flushed,
        }
    }

    async fn push_when_room(&self, frame: QueuedMessage) -> Result<(), SendError> {
        let mut frame = Some(frame);
        let room = &self.gate.room[self.index];
        match self.gate.push(self.index, &mut frame) {
            Ok(()) => return Ok(()),
            Err(NotQueued::Refused(error)) => return Err(error),
            Err(NotQueued::Full | NotQueued::OverBudget(_)) => {}
        }
        loop {
            let (paid, changed) = (
                self.gate.budget.room_to_send(),
                self.gate.changed.notified(),
            );
            let mut freed = pin!(Some(room.notified()));
            tokio::pin!(paid, changed);
            // Registered before the attempt, so that room which comes in between is not missed.
            freed.as_mut().as_pin_mut().map(Notified::enable);
            paid.as_mut().enable();
            changed.as_mut().enable();
            let over = match self.gate.push(self.index, &mut frame) {
                Ok(()) => {
                    // One batch wakes one sender; there may be room for the next one too.
                    room.notify_one();
                    return Ok(());
                }
                Err(NotQueued::Refused(error)) => return Err(error),
                Err(NotQueued::Full) => None,
                Err(NotQueued::OverBudget(over)) => Some(over),
            };
            match over {
                None => {
                    if let Some(freed) = freed.as_pin_mut() {
                        freed.await;
                    }
                }
                Some(over) => {
                    // Room in the lane is for those who can use it: this one leaves their queue,
                    // and passes on what has woken it.
                    freed.set(None);
                    room.notify_one();
                    self.gate.budget.make_room(over);
                    tokio::select! {
                        // Either way the message is tried again.
                        biased;
                        () = changed => {}
                        () = paid => {}
                    }
                }
            }
        }
    }
}

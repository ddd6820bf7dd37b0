use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::futures::Notified;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::LaneSource;
use super::{Flushed, LaneStats, NotQueued, Payload, QueuedMessage, SharedPayload, WriteGate};
use crate::channel::{HoldObserver, PeerBudget, SendError, TrySendError};
use crate::spare::Spare;

/// One protocol's lane into the write gate.
///
/// The lane converts the protocol's codes into absolute message ids.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    gate: Arc<WriteGate>,
    index: usize,
    offset: u64,
}

/// A lane that does not keep its gate alive.
#[derive(Debug)]
pub(crate) struct WeakLane {
    gate: Weak<WriteGate>,
    index: usize,
    offset: u64,
}

impl WeakLane {
    /// The lane, unless the gate is gone.
    pub(crate) fn upgrade(&self) -> Option<Lane> {
        Some(Lane {
            gate: self.gate.upgrade()?,
            index: self.index,
            offset: self.offset,
        })
    }
}

impl Lane {
    /// How much data waits in the lane now, and how long messages have waited.
    pub(crate) fn stats(&self) -> LaneStats {
        self.gate.stats(self.index)
    }

    /// How many messages wait in the lane, and their total size in bytes.
    #[cfg(feature = "metrics")]
    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.gate.waiting(self.index)
    }

    pub(crate) fn downgrade(&self) -> WeakLane {
        WeakLane {
            gate: Arc::downgrade(&self.gate),
            index: self.index,
            offset: self.offset,
        }
    }

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

    /// The buffers into which large payloads are encoded.
    pub(crate) fn spare(&self) -> &Arc<Spare> {
        &self.gate.spare
    }

    /// Waits for room, and queues the message that `encode` returns.
    ///
    /// A message that had to wait may be encoded a second time when there is room. Cancel safe: a
    /// call that is dropped early has queued nothing.
    pub(crate) async fn send(&self, encode: impl Encode) -> Result<(), SendError> {
        self.encode_when_room(None, encode).await
    }

    /// Like [`send`](Self::send), but also waits until the message is handed to the socket.
    pub(crate) async fn send_and_flush(&self, encode: impl Encode) -> Result<(), SendError> {
        let (flushed, written) = oneshot::channel();
        let flushed = Some(Flushed::One(flushed));
        self.encode_when_room(flushed, encode).await?;
        match written.await {
            Ok(()) => Ok(()),
            // The message was dropped. The reason is known only when nothing can be sent any more.
            Err(_) => Err(self.gate.shut().await),
        }
    }

    /// The budget to which the lane's messages are charged.
    pub(crate) fn budget(&self) -> &Arc<PeerBudget> {
        self.gate.budget()
    }

    /// Sets the source whose messages [`fill`](Self::fill) puts into the lane.
    pub(crate) fn set_source(&self, source: Arc<dyn LaneSource>) {
        self.gate.sources.set(self.index, source);
    }

    /// Sets the observer of waits for the lane's quota, if it has a quota.
    pub(crate) fn observe_holds(&self, make: impl FnOnce() -> Box<HoldObserver>) {
        self.gate.paces.observe(self.index, make);
    }

    /// Queues messages while there is room, and leaves the others in `from`.
    ///
    /// `look` returns the size of a message, and whether the message is already charged to [the
    /// peer](Self::budget).
    pub(crate) fn fill<T>(
        &self,
        from: &mut VecDeque<T>,
        look: impl Fn(&T) -> (usize, bool),
        mut message: impl FnMut(T) -> (u64, Bytes),
    ) -> Result<(), NotQueued> {
        self.gate.fill(self.index, from, look, |next| {
            let (code, payload) = message(next);
            self.frame(code, payload, Some(Flushed::Counted))
        })
    }

    /// Queues a message whose payload goes to several peers, if there is room now.
    pub(crate) fn try_send_shared(
        &self,
        code: u64,
        payload: &Arc<SharedPayload>,
    ) -> Result<(), TrySendError> {
        self.try_push(self.frame(code, Payload::Shared(Arc::clone(payload)), None))
    }

    /// Like [`send`](Self::send), with a payload that goes to several peers.
    pub(crate) async fn send_shared(
        &self,
        code: u64,
        payload: &Arc<SharedPayload>,
    ) -> Result<(), SendError> {
        let size = payload.data().plain().len();
        self.paced(size).await?;
        let payload = Payload::Shared(Arc::clone(payload));
        let mut frame = Some(self.frame(code, payload, None));
        let push = || self.gate.push(self.index, &mut frame);
        self.when_room(push).await
    }

    pub(crate) fn try_send(&self, code: u64, payload: Bytes) -> Result<(), TrySendError> {
        self.try_push(self.frame(code, payload, None))
    }

    fn try_push(&self, frame: QueuedMessage) -> Result<(), TrySendError> {
        if self.pace(frame.payload.len()).is_err() {
            return Err(TrySendError::Full);
        }
        let pushed = self.gate.push(self.index, &mut Some(frame));
        pushed.map_err(|not_queued| match not_queued {
            NotQueued::Refused(error) => TrySendError::Refused(error),
            NotQueued::Full | NotQueued::OverBudget(_) => TrySendError::Full,
        })
    }

    fn frame(
        &self,
        code: u64,
        payload: impl Into<Payload>,
        flushed: Option<Flushed>,
    ) -> QueuedMessage {
        QueuedMessage {
            id: self.id(code),
            payload: payload.into(),
            flushed,
        }
    }

    async fn encode_when_room(
        &self,
        flushed: Option<Flushed>,
        encode: impl Encode,
    ) -> Result<(), SendError> {
        let (code, payload) = encode()?;
        let size = payload.len();
        let mut frame = Some(self.frame(code, payload, flushed));
        let paced = self.pace(size).is_ok();
        if paced {
            match self.gate.push(self.index, &mut frame) {
                Ok(()) => return Ok(()),
                Err(NotQueued::Refused(error)) => return Err(error),
                Err(NotQueued::Full | NotQueued::OverBudget(_)) => {}
            }
        }
        let kept = self.gate.kept.keep(size);
        if kept.is_none() {
            let_go(&mut frame);
        }
        if !paced {
            self.paced(size).await?;
        }
        let push = || match kept {
            Some(_) => self.gate.push(self.index, &mut frame),
            None => self.encode_and_push(size, &encode, &mut frame),
        };
        self.when_room(push).await
    }

    /// Encodes the payload of a message and queues it, if there is room.
    fn encode_and_push(
        &self,
        size: usize,
        encode: &impl Encode,
        frame: &mut Option<QueuedMessage>,
    ) -> Result<(), NotQueued> {
        self.gate.check_room(self.index, size)?;
        let (_, payload) = encode().map_err(NotQueued::Refused)?;
        if let Some(frame) = frame {
            frame.payload = payload.into();
        }
        let pushed = self.gate.push(self.index, frame);
        let_go(frame);
        pushed
    }

    /// Counts a message against the lane's quota. Fails with the time at which to try again.
    fn pace(&self, bytes: usize) -> Result<(), Instant> {
        self.gate.paces.take(self.index, bytes)
    }

    /// Waits until the lane's quota permits a message of `bytes`. Cancel safe.
    async fn paced(&self, bytes: usize) -> Result<(), SendError> {
        match self.pace(bytes) {
            Ok(()) => Ok(()),
            // Boxed, since few lanes have a quota.
            Err(until) => Box::pin(self.held(bytes, until)).await,
        }
    }

    /// Like [`paced`](Self::paced), for a message that may not be sent before `until`.
    async fn held(&self, bytes: usize, mut until: Instant) -> Result<(), SendError> {
        let _reports = self.gate.paces.hold(self.index);
        loop {
            if let Ok(error) = timeout_at(until, self.gate.shut()).await {
                return Err(error);
            }
            match self.pace(bytes) {
                Ok(()) => return Ok(()),
                Err(later) => until = later,
            }
        }
    }

    /// Repeats `push` whenever there may be room, until `push` succeeds. Cancel safe.
    async fn when_room(
        &self,
        mut push: impl FnMut() -> Result<(), NotQueued>,
    ) -> Result<(), SendError> {
        let room = &self.gate.room[self.index];
        loop {
            let [own, nodes] = self.gate.budget.room_to_send();
            let changed = self.gate.changed.notified();
            let mut freed = pin!(Some(room.notified()));
            tokio::pin!(own, nodes, changed);
            // Register before the attempt, so that room that is freed in between is not missed.
            freed.as_mut().as_pin_mut().map(Notified::enable);
            own.as_mut().enable();
            nodes.as_mut().enable();
            changed.as_mut().enable();
            let over = match push() {
                Ok(()) => {
                    // A batch that is taken wakes only one sender, but there may be room for the
                    // next sender too.
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
                    // Without memory this sender cannot use room in the lane, so it stops waiting
                    // for the lane and passes its wake-up on to the next sender.
                    freed.set(None);
                    room.notify_one();
                    self.gate.budget.make_room(over);
                    tokio::select! {
                        // After any of these, try again.
                        biased;
                        () = changed => {}
                        () = own => {}
                        () = nodes => {}
                    }
                }
            }
        }
    }
}

/// Encodes a message, and returns it with its code.
pub(crate) trait Encode: Fn() -> Result<(u64, Bytes), SendError> {}

impl<F: Fn() -> Result<(u64, Bytes), SendError>> Encode for F {}

/// Frees the payload of a message that will be encoded again.
fn let_go(frame: &mut Option<QueuedMessage>) {
    if let Some(frame) = frame {
        frame.payload = Bytes::new().into();
    }
}

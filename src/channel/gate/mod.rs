//! The write gate passes on one message at a time, while the connection is healthy.
//!
//! Only the write loop takes messages out of the gate, since it alone holds the sealing half of the
//! session. Each protocol puts its messages into its own lane. The gate guarantees:
//!
//! - messages go out one at a time, those of one lane in order;
//! - control frames go first, then the most urgent class of lanes; within a class, lanes take turns
//!   by weighted deficit round robin over bytes; each less urgent class with waiting messages still
//!   gets a twentieth of the bytes;
//! - after a failed write nothing more is written, and every waiting caller gets
//!   [`SendError::WriteFailed`] once it is certain that the failure ends the connection;
//! - the Disconnect is the last frame.

mod kept;
mod lane;
mod outgoing;
mod payload;
mod schedule;
mod source;
mod turns;
mod waits;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use kept::KeptPayloads;
pub(crate) use lane::{Encode, Lane, WeakLane};
use outgoing::Outgoing;
use payload::Cost;
pub(crate) use payload::{Payload, SharedPayload};
use schedule::Schedule;
pub(crate) use schedule::{Batch, Flushed, LaneSettings, QueuedMessage};
pub(crate) use source::LaneSource;
use source::Sources;
use waits::Waits;

use crate::channel::pace::SendPaces;
use crate::channel::{OverBudget, PeerBudget, SendError, WriteError};
use crate::mutex::Mutex;
use crate::p2p::DisconnectReason;
use crate::spare::Spare;

/// The gate of one peer, which its protocols, read loop and write loop share.
#[derive(Debug)]
pub(crate) struct WriteGate {
    state: Mutex<State>,
    /// Where senders wait for room, one entry for each lane.
    room: Vec<Notify>,
    /// Wakes callers that wait for memory, and callers that wait for the end of sending.
    changed: Notify,
    kept: KeptPayloads,
    sources: Sources,
    /// How much each lane may still send, if it has a quota.
    paces: SendPaces,
    /// Buffers of written payloads, kept for reuse.
    pub(crate) spare: Arc<Spare>,
    budget: Arc<PeerBudget>,
}

#[derive(Debug)]
struct State {
    schedule: Schedule,
    /// How long messages waited, for each lane that has sent something.
    waits: Box<[Option<Box<Waits>>]>,
    outgoing: Outgoing,
    phase: Phase,
    /// The error of the failed write, if that is what closed the gate.
    failure: Option<WriteError>,
    /// Set when queued messages were dropped. From then on, the write loop may not start on another
    /// message of its batch.
    dropping: bool,
    /// How many protocol messages will never be written.
    unsent: usize,
    /// How many messages the write loop took last and may be writing, and their cost.
    in_flight: usize,
    in_flight_cost: Cost,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Messages are accepted and sent.
    Open,
    /// No message is accepted; queued messages are sent, then the final frame.
    Ending(Option<DisconnectReason>),
    /// Nothing is accepted or sent any more.
    Closed,
}

/// How much data waits in a lane now, and how long messages have waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneStats {
    pub(crate) waiting: usize,
    pub(crate) waiting_bytes: usize,
    pub(crate) wait_p50: Option<Duration>,
    pub(crate) wait_p99: Option<Duration>,
}

/// The next step of the write loop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this batch.
    Batch,
    /// Write the Disconnect, if there is a reason, then close the sending direction.
    Finish(Option<DisconnectReason>),
    /// Close without writing another byte.
    Stop,
}

impl WriteGate {
    pub(crate) fn new(lanes: Vec<LaneSettings>, budget: Arc<PeerBudget>) -> Arc<Self> {
        let room = lanes.iter().map(|_| Notify::new()).collect();
        let sources = Sources::new(lanes.len());
        let paces = SendPaces::new(lanes.iter().map(|lane| lane.limits.send_quota()));
        let state = State {
            waits: lanes.iter().map(|_| None).collect(),
            schedule: Schedule::new(lanes),
            outgoing: Outgoing::new(Arc::clone(&budget)),
            phase: Phase::Open,
            failure: None,
            dropping: false,
            unsent: 0,
            in_flight: 0,
            in_flight_cost: Cost::default(),
            writer: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            room,
            changed: Notify::new(),
            kept: KeptPayloads::default(),
            sources,
            paces,
            spare: budget.spare(),
            budget,
        })
    }

    /// Requests a Ping.
    pub(crate) fn ping(&self) {
        self.control(Schedule::ping);
    }

    /// Requests a Pong.
    pub(crate) fn pong(&self) {
        self.control(Schedule::pong);
    }

    fn control(&self, request: impl FnOnce(&mut Schedule)) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            request(&mut state.schedule);
            wake(state);
        }
    }

    /// Accepts no more messages, and ends with a Disconnect if there is a reason.
    ///
    /// With `drain`, queued messages are still sent; without `drain` they are dropped. A second
    /// call without `drain` drops the messages that the first call left.
    pub(crate) fn finish(&self, drain: bool, reason: Option<DisconnectReason>) {
        let mut state = self.lock();
        if !drain {
            state.drop_queued();
        }
        if state.phase != Phase::Closed {
            state.phase = Phase::Ending(reason);
        }
        wake(state);
        self.release_senders();
    }

    /// Closes the gate after a failed write.
    pub(crate) fn fail(&self, failure: WriteError) {
        self.lock().failure = Some(failure);
        self.close();
    }

    /// Closes the gate immediately.
    ///
    /// Returns how many queued protocol messages were not written, or were written only in part.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        state.drop_queued();
        let unsent = state.unsent + state.in_flight;
        wake(state);
        self.release_senders();
        unsent
    }

    /// Whether no new frame may be written except the Disconnect.
    pub(crate) fn is_dropping(&self) -> bool {
        self.lock().dropping
    }

    /// Waits for messages, and moves them into `batch` until it holds `limit` bytes.
    ///
    /// The last message may exceed `limit`. Messages that are still in `batch` from the last call
    /// count as not written, and `batch` is cleared first. Cancel safe. Only the write loop calls
    /// this.
    pub(crate) async fn next(&self, batch: &mut Batch, limit: usize) -> Next {
        let mut left = batch.of_protocols();
        batch.clear();
        poll_fn(|cx| self.poll_next(cx, batch, limit, std::mem::take(&mut left))).await
    }

    /// Frees the memory of empty lanes.
    pub(crate) fn shrink(&self) {
        self.lock().schedule.shrink();
    }

    fn poll_next(
        &self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
        limit: usize,
        left: usize,
    ) -> Poll<Next> {
        let mut state = self.lock();
        state.unsent += left;
        state.in_flight = 0;
        let written = std::mem::take(&mut state.in_flight_cost);
        if written != Cost::default() {
            state.outgoing.remove(written);
            // The charge for messages changes in steps. If it stays the same now, the budget wakes
            // nobody, although there may be room.
            self.changed.notify_waiters();
        }
        if state.phase == Phase::Closed {
            return Poll::Ready(Next::Stop);
        }
        state.schedule.take(batch, limit);
        if !batch.is_empty() {
            batch.note_waits(|lane| state.waits[lane].as_mut()?.taken());
            state.in_flight = batch.of_protocols();
            state.in_flight_cost = batch.cost_of_protocols();
            drop(state);
            for lane in batch.drained_lanes() {
                self.room[lane].notify_one();
                if let Some(source) = self.sources.of(lane) {
                    source.room();
                }
            }
            return Poll::Ready(Next::Batch);
        }
        if let Phase::Ending(reason) = state.phase {
            state.phase = Phase::Closed;
            return Poll::Ready(Next::Finish(reason));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Waits until nothing can be sent any more, and returns the reason. Cancel safe.
    async fn shut(&self) -> SendError {
        loop {
            let released = self.changed.notified();
            tokio::pin!(released);
            // Register before the check, so that the end is not missed.
            released.as_mut().enable();
            if let Err(error) = self.lock().check_open() {
                return error;
            }
            released.await;
        }
    }

    /// Queues a message in a lane. Without room, the message stays in `frame`.
    fn push(&self, lane: usize, frame: &mut Option<QueuedMessage>) -> Result<(), NotQueued> {
        let mut state = self.lock();
        state.check_open().map_err(NotQueued::Refused)?;
        let Some(message) =
            frame.take_if(|frame| state.schedule.has_room(lane, frame.payload.len()))
        else {
            return Err(NotQueued::Full);
        };
        if let Err(over) = state.outgoing.admit(message.cost()) {
            *frame = Some(message);
            return Err(NotQueued::OverBudget(over));
        }
        state.enter(lane, message);
        wake(state);
        Ok(())
    }

    /// How many messages wait in a lane, and their total size in bytes.
    #[cfg(feature = "metrics")]
    fn waiting(&self, lane: usize) -> (usize, usize) {
        self.lock().schedule.waiting(lane)
    }

    /// How much data waits in a lane now, and how long messages have waited.
    fn stats(&self, lane: usize) -> LaneStats {
        let state = self.lock();
        let (waiting, waiting_bytes) = state.schedule.waiting(lane);
        let waits = state.waits[lane].as_ref();
        let [wait_p50, wait_p99] = waits.map_or([None; 2], |waits| waits.times());
        LaneStats {
            waiting,
            waiting_bytes,
            wait_p50,
            wait_p99,
        }
    }

    /// Whether a message with a payload of `bytes` could be queued now.
    fn check_room(&self, lane: usize, bytes: usize) -> Result<(), NotQueued> {
        let state = self.lock();
        state.check_open().map_err(NotQueued::Refused)?;
        if !state.schedule.has_room(lane, bytes) {
            return Err(NotQueued::Full);
        }
        let room = state.outgoing.check(Cost::of_own(bytes));
        room.map_err(NotQueued::OverBudget)
    }

    /// The budget to which messages in the gate are charged.
    pub(crate) fn budget(&self) -> &Arc<PeerBudget> {
        &self.budget
    }

    /// Queues messages in a lane while there is room, and leaves the others in `from`.
    ///
    /// `look` returns the size of a message, and whether the message is already charged to the
    /// peer. The gate takes over such a charge.
    fn fill<T>(
        &self,
        lane: usize,
        from: &mut VecDeque<T>,
        look: impl Fn(&T) -> (usize, bool),
        mut frame: impl FnMut(T) -> QueuedMessage,
    ) -> Result<(), NotQueued> {
        let mut state = self.lock();
        state.check_open().map_err(NotQueued::Refused)?;
        let (mut filled, mut result) = (false, Ok(()));
        while let Some(next) = from.pop_front_if(|next| {
            let (size, charged) = look(next);
            result = state.admit(lane, size, charged);
            result.is_ok()
        }) {
            state.enter(lane, frame(next));
            filled = true;
        }
        if filled {
            wake(state);
        }
        result
    }

    /// Reports to the source of a lane how many of its frames were written.
    pub(crate) fn count_written(&self, lane: usize, frames: usize) {
        if let Some(source) = self.sources.of(lane) {
            source.written(frames);
        }
    }

    fn release_senders(&self) {
        for room in &self.room {
            room.notify_waiters();
        }
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn enter(&mut self, lane: usize, message: QueuedMessage) {
        self.waits[lane].get_or_insert_default().pushed();
        self.schedule.push(lane, message);
    }

    fn check_open(&self) -> Result<(), SendError> {
        match (self.phase, &self.failure) {
            (Phase::Open, _) => Ok(()),
            (_, Some(failure)) => Err(SendError::WriteFailed(failure.clone())),
            _ => Err(SendError::ShuttingDown),
        }
    }

    /// Admits a message of `size`, if there is room.
    fn admit(&mut self, lane: usize, size: usize, charged: bool) -> Result<(), NotQueued> {
        if !self.schedule.has_room(lane, size) {
            return Err(NotQueued::Full);
        }
        let cost = Cost::of_own(size);
        if charged {
            self.outgoing.take_over(cost.own);
            Ok(())
        } else {
            self.outgoing.admit(cost).map_err(NotQueued::OverBudget)
        }
    }

    fn drop_queued(&mut self) {
        self.dropping = true;
        let dropped = self.schedule.clear();
        self.unsent += dropped.messages;
        self.outgoing.remove(dropped.cost);
    }
}

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// The lane is full.
    Full,
    /// A memory budget is used up.
    OverBudget(OverBudget),
    /// Nothing can be sent any more.
    Refused(SendError),
}

/// Releases the lock, and wakes the write loop if it waits. A burst of messages wakes the loop only
/// once.
fn wake(mut state: MutexGuard<'_, State>) {
    let writer = state.writer.take();
    drop(state);
    if let Some(writer) = writer {
        writer.wake();
    }
}

#[cfg(test)]
mod tests;

//! The bounded queue of received messages in front of one protocol's handler.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::pace::{HoldObserver, ReceivePace};
use super::{MESSAGE_COST, OverBudget, PeerBudget, ProtocolLimits, WhenOver};
use crate::message::Message;
use crate::mutex::Mutex;

/// The queue; cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: ProtocolLimits,
    budget: Option<Arc<PeerBudget>>,
    state: Mutex<State>,
    /// Wakes senders of an in-memory pair, which has no read loop.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The messages, each with the time at which it was completely received.
    queue: VecDeque<(Message, Instant)>,
    /// How many messages and bytes are queued or held by the handler.
    held_messages: usize,
    held_bytes: usize,
    /// When the handler last took or released a message. `None` unless the read loop waits.
    progress: Option<Instant>,
    /// How many received messages were dropped.
    dropped: u64,
    /// How often and how long reading paused for lack of room. Boxed, since such pauses are rare.
    pauses: Option<Box<(u64, Duration)>>,
    /// How much may still be received, if the quota is bounded.
    pace: Option<Box<ReceivePace>>,
    closed: bool,
    /// Whether the messages in the queue were dropped when the queue was closed.
    discarded: bool,
    reader: Option<Waker>,
}

/// Why a message was not put into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The handler's end is gone, or the peer is ending.
    Closed,
    /// The queue is full.
    Full,
    /// The message exceeds the protocol's quota, and the protocol's limits do not say to wait.
    TooFast,
    /// The peer's or the node's memory budget is used up.
    OverBudget(OverBudget),
}

/// Room for a message that is about to be queued. The room is released on drop.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    inbox: &'a Shared,
    bytes: usize,
}

/// The room of a message that has left the queue. The room is released on drop.
///
/// A message in the queue has no such guard, since the guard would keep the queue alive forever;
/// the message's room is only counted.
#[derive(Debug)]
pub(crate) struct Charge {
    /// `None` for a message that was in no queue.
    inbox: Option<Arc<Shared>>,
    bytes: usize,
    received_at: Instant,
}

impl Inbox {
    pub(crate) fn new(limits: ProtocolLimits, budget: Option<Arc<PeerBudget>>) -> Self {
        Self(Arc::new(Shared {
            limits,
            budget,
            state: Mutex::new(State {
                pace: ReceivePace::new(limits.receive_quota()),
                ..State::default()
            }),
            freed: Notify::new(),
        }))
    }

    /// Reserves room for a message of `bytes`, before its payload is decompressed.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Room<'_>, PushError> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        if !self
            .0
            .limits
            .admits(state.held_messages, state.held_bytes, bytes)
        {
            return Err(PushError::Full);
        }
        if let Some(budget) = &self.0.budget {
            let cost = bytes.saturating_add(MESSAGE_COST);
            budget.try_charge(cost).map_err(PushError::OverBudget)?;
        }
        state.held_messages += 1;
        state.held_bytes += bytes;
        Ok(Room {
            inbox: &self.0,
            bytes,
        })
    }

    /// Like [`reserve`](Self::reserve), but returns errors as [`PeerBudget::when_freed`] needs
    /// them.
    ///
    /// Returns `None` if the queue is closed. A full queue is reported as an exhausted peer budget,
    /// since the same notification wakes the waiter in both cases.
    pub(crate) fn reserve_if_open(&self, bytes: usize) -> Result<Option<Room<'_>>, OverBudget> {
        match self.reserve(bytes) {
            Ok(room) => Ok(Some(room)),
            Err(PushError::Closed) => Ok(None),
            // `reserve` does not return `TooFast`, since `arrived` checks the quota.
            Err(PushError::Full | PushError::TooFast) => Err(OverBudget::Peer),
            Err(PushError::OverBudget(over)) => Err(over),
        }
    }

    /// Waits for room, for the sender of an in-memory pair. Cancel safe.
    pub(crate) async fn reserve_when_free(&self, bytes: usize) -> Result<Room<'_>, PushError> {
        // First try without registering: usually there is room, and registering costs more than
        // trying.
        match self.reserve(bytes) {
            Err(PushError::Full) => {}
            result => return result,
        }
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.reserve(bytes) {
                Err(PushError::Full) => freed.await,
                result => return result,
            }
        }
    }

    /// Returns the handler's end, which closes the queue when it is dropped.
    pub(crate) fn reader(self) -> InboxReader {
        InboxReader {
            inbox: self,
            pause: None,
        }
    }

    /// Counts an arrived message of `bytes` against the protocol's quota.
    ///
    /// With [`WhenOver::Wait`] this does nothing, since the handler's end waits for the quota.
    pub(crate) fn arrived(&self, bytes: usize) -> Result<(), PushError> {
        if self.0.limits.receive_quota().is_unlimited() || self.waits() {
            return Ok(());
        }
        let mut state = self.0.lock();
        let admitted = state.pace.as_mut().is_none_or(|pace| pace.admit(bytes));
        if admitted {
            Ok(())
        } else {
            Err(PushError::TooFast)
        }
    }

    /// Sets the observer of waits for the quota, if there is a quota.
    pub(crate) fn observe_holds(&self, make: impl FnOnce() -> Box<HoldObserver>) {
        if let Some(pace) = &mut self.0.lock().pace {
            pace.observe(make());
        }
    }

    fn waits(&self) -> bool {
        self.0.limits.when_over() == WhenOver::Wait
    }

    /// Returns the time at which the next message may be taken out, if not now.
    fn not_before(&self, state: &mut State) -> Option<Instant> {
        let pace = state.pace.as_mut().filter(|_| self.waits())?;
        let (next, _) = state.queue.front()?;
        let size = next.payload.len();
        pace.take_or_hold(size).err()
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<(Message, Charge)>, Instant>> {
        let mut state = self.0.lock();
        if let Some(until) = self.not_before(&mut state) {
            return Poll::Ready(Err(until));
        }
        if let Some((message, received_at)) = state.queue.pop_front() {
            state.note_progress();
            let charge = Charge {
                inbox: Some(Arc::clone(&self.0)),
                bytes: message.payload.len(),
                received_at,
            };
            return Poll::Ready(Ok(Some((message, charge))));
        }
        if state.closed {
            return Poll::Ready(Ok(None));
        }
        state.register(cx);
        Poll::Pending
    }

    /// Ready once the queue is closed and empty.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Option<(Message, Charge)>> {
        let mut state = self.0.lock();
        if state.closed && state.queue.is_empty() {
            return Poll::Ready(None);
        }
        state.register(cx);
        Poll::Pending
    }

    /// Accepts no more messages. If `keep` is set, queued messages stay readable, else they are
    /// dropped.
    pub(crate) fn close(&self, keep: bool) {
        let mut state = self.0.lock();
        state.closed = true;
        state.discarded |= !keep;
        let dropped = if keep {
            VecDeque::new()
        } else {
            if let Some(pace) = &mut state.pace {
                pace.end_hold(Instant::now());
            }
            mem::take(&mut state.queue)
        };
        let reader = state.reader.take();
        drop(state);
        for (message, _) in dropped {
            self.0.release(message.payload.len());
        }
        match &self.0.budget {
            Some(budget) => budget.nudge(),
            None => self.0.freed.notify_waiters(),
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Frees the memory of an empty queue.
    pub(crate) fn shrink(&self) {
        let mut state = self.0.lock();
        if state.queue.is_empty() {
            state.queue = VecDeque::new();
        }
    }

    /// A handle that does not keep the queue alive.
    pub(crate) fn downgrade(&self) -> WeakInbox {
        WeakInbox(Arc::downgrade(&self.0))
    }

    /// Counts a pause of reading for lack of room.
    pub(crate) fn count_pause(&self, paused: Duration) {
        let mut state = self.0.lock();
        let (pauses, sum) = &mut **state.pauses.get_or_insert_default();
        *pauses = pauses.saturating_add(1);
        *sum = sum.saturating_add(paused);
    }

    /// Starts to record when the handler takes or releases a message. The first recorded time is
    /// now.
    pub(crate) fn watch(&self) {
        self.0.lock().progress = Some(Instant::now());
    }

    /// Stops recording the handler's progress, which saves reading the clock.
    pub(crate) fn unwatch(&self) {
        self.0.lock().progress = None;
    }

    /// When the handler last took or released a message, if this is recorded.
    ///
    /// The end of a wait for the quota counts too, since the handler could take nothing before it.
    pub(crate) fn progress(&self) -> Option<Instant> {
        let state = self.0.lock();
        let held_until = state.pace.as_ref().and_then(|pace| pace.held_until());
        let progress = state.progress?;
        Some(held_until.map_or(progress, |until| progress.max(until)))
    }

    /// Counts a message that was dropped.
    pub(crate) fn count_dropped(&self) {
        let mut state = self.0.lock();
        state.dropped = state.dropped.saturating_add(1);
    }
}

/// A handle that does not keep the queue alive.
#[derive(Debug)]
pub(crate) struct WeakInbox(Weak<Shared>);

/// How much a queue contains, and how often it was full.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InboxStats {
    pub(crate) unread: usize,
    pub(crate) unread_bytes: usize,
    pub(crate) pauses: u64,
    pub(crate) paused: Duration,
}

impl WeakInbox {
    /// Returns zeros once the queue is gone.
    pub(crate) fn stats(&self) -> InboxStats {
        let Some(inbox) = self.0.upgrade() else {
            return InboxStats::default();
        };
        let state = inbox.lock();
        let (pauses, paused) = state.pauses.as_deref().copied().unwrap_or_default();
        InboxStats {
            unread: state.held_messages,
            unread_bytes: state.held_bytes,
            pauses,
            paused,
        }
    }
}

impl State {
    /// Registers the reader to be woken.
    fn register(&mut self, cx: &Context<'_>) {
        let known = self.reader.as_ref();
        if !known.is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
    }

    fn note_progress(&mut self) {
        if let Some(progress) = &mut self.progress {
            *progress = Instant::now();
        }
    }
}

/// The only end of the queue that takes messages out.
#[derive(Debug)]
pub(crate) struct InboxReader {
    inbox: Inbox,
    /// A timer that runs while the quota does not allow the next message yet.
    pause: Option<Pin<Box<Sleep>>>,
}

impl InboxReader {
    /// The next message, or `None` once the queue is closed and empty.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Message, Charge)>> {
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    return self.inbox.poll_end(cx);
                }
                self.pause = None;
            }
            match ready!(self.inbox.poll_next(cx)) {
                Ok(next) => return Poll::Ready(next),
                Err(until) => self.pause = Some(Box::pin(sleep_until(until))),
            }
        }
    }

    /// How many messages were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.inbox.0.lock().dropped
    }

    /// Whether the queue was closed and the messages in it were dropped.
    pub(crate) fn is_discarded(&self) -> bool {
        self.inbox.0.lock().discarded
    }
}

impl Drop for InboxReader {
    fn drop(&mut self) {
        self.inbox.close(false);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn release(&self, bytes: usize) {
        {
            let mut state = self.lock();
            state.held_messages -= 1;
            state.held_bytes -= bytes;
            state.note_progress();
        }
        match &self.budget {
            Some(budget) => budget.release(bytes.saturating_add(MESSAGE_COST)),
            None => self.freed.notify_one(),
        }
    }
}

impl Room<'_> {
    /// Queues a message of the reserved size that was completely received at `received_at`.
    ///
    /// The message keeps the room until the message is dropped. Returns how many messages are in
    /// the queue or held by the handler.
    pub(crate) fn push(self, message: Message, received_at: Instant) -> usize {
        let mut state = self.inbox.lock();
        let held = state.held_messages;
        if state.closed {
            drop(state);
            return held;
        }
        state.queue.push_back((message, received_at));
        let reader = state.reader.take();
        drop(state);
        // The message owns the room now.
        mem::forget(self);
        if let Some(reader) = reader {
            reader.wake();
        }
        held
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.inbox.release(self.bytes);
    }
}

impl Charge {
    /// The size of the message, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the message was completely received.
    pub(crate) fn received_at(&self) -> Instant {
        self.received_at
    }

    /// Notes that the handler takes a message now that had left the queue before.
    pub(crate) fn note_taken(&self) {
        if let Some(inbox) = &self.inbox {
            inbox.lock().note_progress();
        }
    }

    /// Returns a charge with the same facts that takes up no room.
    pub(crate) fn without_room(&self) -> Self {
        Self {
            inbox: None,
            bytes: self.bytes,
            received_at: self.received_at,
        }
    }

    /// Returns the charge for a message of `bytes` that takes up no room.
    pub(crate) fn none(bytes: usize) -> Self {
        Self {
            inbox: None,
            bytes,
            received_at: Instant::now(),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(inbox) = &self.inbox {
            inbox.release(self.bytes);
        }
    }
}

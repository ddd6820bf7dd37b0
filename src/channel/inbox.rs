//! The bounded queue of received messages in front of one protocol's handler.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{MESSAGE_COST, OverBudget, PeerBudget, ProtocolLimits};
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
    /// For senders of the in-memory pair, which have no read loop that waits in their place.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Message>,
    /// Messages and bytes that are queued or held by the handler.
    held_messages: usize,
    held_bytes: usize,
    /// While the read loop waits for room: when the handler last took or released a message.
    progress: Option<Instant>,
    /// Messages that found the queue full and were dropped.
    dropped: u64,
    closed: bool,
    reader: Option<Waker>,
}

/// Why a message does not enter the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The handler's end is gone, or the peer is ending.
    Closed,
    /// The queue is full.
    Full,
    /// The peer's or the node's memory budget is used up.
    OverBudget(OverBudget),
}

/// Room for a message that is about to be queued, given back on drop.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    inbox: &'a Shared,
    bytes: usize,
}

/// The room of a message that left the queue, given back on drop. A message in the queue has no
/// guard, which would keep the queue alive for ever: its room is only counted.
#[derive(Debug)]
pub(crate) struct Charge {
    inbox: Arc<Shared>,
    bytes: usize,
}

impl Inbox {
    pub(crate) fn new(limits: ProtocolLimits, budget: Option<Arc<PeerBudget>>) -> Self {
        Self(Arc::new(Shared {
            limits,
            budget,
            state: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Takes room for a message of `bytes`, before its payload is decompressed.
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

    /// As [`reserve`](Self::reserve), for [`PeerBudget::when_freed`]: `None` if nothing is taken any
    /// more. A full queue counts as the peer's budget, since the same wakes who waits for it.
    pub(crate) fn reserve_if_open(&self, bytes: usize) -> Result<Option<Room<'_>>, OverBudget> {
        match self.reserve(bytes) {
            Ok(room) => Ok(Some(room)),
            Err(PushError::Closed) => Ok(None),
            Err(PushError::Full) => Err(OverBudget::Peer),
            Err(PushError::OverBudget(over)) => Err(over),
        }
    }

    /// Waits until there is room, as the in-memory pair's sender does. Cancel safe.
    pub(crate) async fn reserve_when_free(&self, bytes: usize) -> Result<Room<'_>, PushError> {
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

    /// The handler's end, which closes the queue when it is dropped.
    pub(crate) fn reader(self) -> InboxReader {
        InboxReader(self)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<(Message, Charge)>> {
        let mut state = self.0.lock();
        if let Some(message) = state.queue.pop_front() {
            state.note_progress();
            let charge = Charge {
                inbox: Arc::clone(&self.0),
                bytes: message.payload.len(),
            };
            return Poll::Ready(Some((message, charge)));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        if !state
            .reader
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            state.reader = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Lets nothing more in. What is queued stays readable if `keep`, else it is dropped.
    pub(crate) fn close(&self, keep: bool) {
        let mut state = self.0.lock();
        state.closed = true;
        let dropped = if keep {
            VecDeque::new()
        } else {
            mem::take(&mut state.queue)
        };
        let reader = state.reader.take();
        drop(state);
        for message in dropped {
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

    /// Gives the memory of an empty queue back.
    pub(crate) fn shrink(&self) {
        let mut state = self.0.lock();
        if state.queue.is_empty() {
            state.queue = VecDeque::new();
        }
    }

    /// Begins to note when the handler takes or releases a message, as if it had just done so.
    pub(crate) fn watch(&self) {
        self.0.lock().progress = Some(Instant::now());
    }

    /// Stops to note the handler's progress, so that others need not read the clock.
    pub(crate) fn unwatch(&self) {
        self.0.lock().progress = None;
    }

    /// Returns when the handler last took or released a message, while it is watched.
    pub(crate) fn progress(&self) -> Option<Instant> {
        self.0.lock().progress
    }

    /// Counts a message that was dropped because the queue was full.
    pub(crate) fn count_dropped(&self) {
        let mut state = self.0.lock();
        state.dropped = state.dropped.saturating_add(1);
    }
}

impl State {
    fn note_progress(&mut self) {
        if let Some(progress) = &mut self.progress {
            *progress = Instant::now();
        }
    }
}

/// The only end that takes messages out.
#[derive(Debug)]
pub(crate) struct InboxReader(Inbox);

impl InboxReader {
    /// The next message, or `None` once the queue is closed and empty.
    pub(crate) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<(Message, Charge)>> {
        self.0.poll_next(cx)
    }

    /// How many messages were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.0.lock().dropped
    }
}

impl Drop for InboxReader {
    fn drop(&mut self) {
        self.0.close(false);
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
    /// Queues a message of the size that the room was reserved for, which keeps the room until it
    /// is dropped.
    pub(crate) fn push(self, message: Message) {
        let mut state = self.inbox.lock();
        if state.closed {
            drop(state);
            return;
        }
        state.queue.push_back(message);
        let reader = state.reader.take();
        drop(state);
        // The room is the message's now.
        mem::forget(self);
        if let Some(reader) = reader {
            reader.wake();
        }
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
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.inbox.release(self.bytes);
    }
}

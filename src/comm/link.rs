//! The sending queue of one destination. It exists from the first message on, before there is a
//! connection, and the connection's writer empties it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::stats::Stats;
use super::{CommError, Config, Delivery, PeerId};

/// How many answers may wait beside the queue of messages.
const REPLIES: usize = 64;

pub(crate) type AckSender = oneshot::Sender<Result<(), CommError>>;

/// A message on its way into a queue.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) code: u64,
    pub(crate) payload: Bytes,
    /// Under which number an Ack is waited for, and by whom.
    pub(crate) ack: Option<(u64, AckSender)>,
    pub(crate) done: Option<oneshot::Sender<Delivery>>,
}

impl Draft {
    /// Ends the message without having queued it.
    pub(crate) fn refuse(self, delivery: Delivery) {
        settle(self.done, self.ack, delivery);
    }
}

fn settle(
    done: Option<oneshot::Sender<Delivery>>,
    ack: Option<(u64, AckSender)>,
    delivery: Delivery,
) {
    // Whoever has stopped waiting does not hear of it.
    if let (Some((_, waiter)), Some(error)) = (ack, delivery.error()) {
        let _ = waiter.send(Err(error.clone()));
    }
    if let Some(done) = done {
        let _ = done.send(delivery);
    }
}

/// A queued message. However it leaves, its sender is told: a dropped one has failed.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) code: u64,
    pub(crate) payload: Bytes,
    pub(crate) expects: Option<PeerId>,
    pub(crate) ack: Option<(u64, AckSender)>,
    done: Option<oneshot::Sender<Delivery>>,
    queued: Instant,
    settled: bool,
    stats: Arc<Stats>,
    /// What it takes of the queue's bounds for as long as it is in there.
    room: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    pub(crate) fn new(
        draft: Draft,
        expects: Option<PeerId>,
        room: OwnedSemaphorePermit,
        stats: Arc<Stats>,
        now: Instant,
    ) -> Self {
        stats.meters.queued();
        Self {
            code: draft.code,
            payload: draft.payload,
            expects,
            ack: draft.ack,
            done: draft.done,
            queued: now,
            settled: false,
            stats,
            room: Some(room),
        }
    }

    pub(crate) fn sent(mut self, now: Instant) {
        let queued = now.saturating_duration_since(self.queued);
        self.stats.sent(queued);
        self.finish(Delivery::Sent);
    }

    pub(crate) fn fail(mut self, error: CommError) {
        self.stats.failed(&error);
        self.finish(Delivery::Failed(error));
    }

    fn finish(&mut self, delivery: Delivery) {
        self.settled = true;
        if self.room.take().is_some() {
            self.stats.meters.unqueued(1);
        }
        settle(self.done.take(), self.ack.take(), delivery);
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.settled {
            let error = CommError::PeerClosed(super::CloseReason::TransportEnded);
            self.stats.failed(&error);
            self.finish(Delivery::Failed(error));
        }
    }
}

/// Gives the room of messages that left the queue back, as far as possible in one go.
fn release(batch: &mut [Outgoing]) {
    if let Some(first) = batch.first() {
        first.stats.meters.unqueued(batch.len() as u32);
    }
    let mut all: Option<OwnedSemaphorePermit> = None;
    for room in batch.iter_mut().filter_map(|message| message.room.take()) {
        match &mut all {
            Some(all) if Arc::ptr_eq(all.semaphore(), room.semaphore()) => all.merge(room),
            _ => all = Some(room),
        }
    }
}

/// Which part of the queue: answers go out before messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Messages,
    Replies,
}

#[derive(Debug)]
pub(crate) struct Link {
    state: Mutex<State>,
    filled: Notify,
    /// Room in units, so that one bound holds for messages and for bytes.
    messages: Arc<Semaphore>,
    replies: Arc<Semaphore>,
    unit: usize,
    total: u32,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Outgoing>,
    replies: VecDeque<Outgoing>,
    end: Option<End>,
}

#[derive(Debug)]
enum End {
    Failed(CommError),
    /// Everything goes through the queue of the connection that took this one's place.
    Moved(Arc<Link>),
}

impl Link {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        let total = u32::try_from(config.queue_messages).unwrap_or(u32::MAX >> 4);
        Arc::new(Self {
            state: Mutex::default(),
            filled: Notify::new(),
            messages: Arc::new(Semaphore::new(total as usize)),
            replies: Arc::new(Semaphore::new(REPLIES)),
            unit: (config.queue_bytes / config.queue_messages).max(1),
            total,
        })
    }

    fn room(&self, part: Part, size: usize) -> (&Arc<Semaphore>, u32) {
        let units = u32::try_from(size.div_ceil(self.unit)).unwrap_or(u32::MAX);
        match part {
            Part::Messages => (&self.messages, units.clamp(1, self.total)),
            Part::Replies => (&self.replies, units.clamp(1, REPLIES as u32)),
        }
    }

    /// Room for a message of `size` bytes, if there is some now.
    pub(crate) fn try_reserve(&self, part: Part, size: usize) -> Option<OwnedSemaphorePermit> {
        let (semaphore, units) = self.room(part, size);
        Arc::clone(semaphore).try_acquire_many_owned(units).ok()
    }

    /// Waits for room, in the order of asking; `None` if the queue ends first. Cancel safe.
    pub(crate) async fn reserve(&self, part: Part, size: usize) -> Option<OwnedSemaphorePermit> {
        let (semaphore, units) = self.room(part, size);
        Arc::clone(semaphore).acquire_many_owned(units).await.ok()
    }

    /// Queues a message, which fails if the queue has ended.
    pub(crate) fn push(&self, part: Part, message: Outgoing) {
        let mut state = self.lock();
        let moved = match &state.end {
            None => {
                match part {
                    Part::Messages => state.messages.push_back(message),
                    Part::Replies => state.replies.push_back(message),
                }
                self.filled.notify_one();
                return;
            }
            Some(End::Failed(error)) => Err(error.clone()),
            Some(End::Moved(to)) => Ok(Arc::clone(to)),
        };
        drop(state);
        match moved {
            Ok(to) => to.push(part, message),
            Err(error) => message.fail(error),
        }
    }

    /// The queue that takes messages in place of this one, which may be itself.
    pub(crate) fn current(self: &Arc<Self>) -> Arc<Self> {
        let mut link = Arc::clone(self);
        loop {
            let next = match &link.lock().end {
                Some(End::Moved(to)) => Arc::clone(to),
                _ => break,
            };
            link = next;
        }
        link
    }

    /// The next messages to write, at least one and at most `max`, answers first; none once the
    /// queue has ended. Cancel safe. Only one connection's writer calls this.
    pub(crate) async fn next(&self, max: usize) -> Vec<Outgoing> {
        loop {
            {
                let mut state = self.lock();
                let State {
                    messages, replies, ..
                } = &mut *state;
                let answers = replies.len().min(max);
                let others = messages.len().min(max - answers);
                if answers + others > 0 {
                    let answers = replies.drain(..answers);
                    let mut batch: Vec<_> = answers.chain(messages.drain(..others)).collect();
                    drop(state);
                    release(&mut batch);
                    return batch;
                }
                if state.end.is_some() {
                    return Vec::new();
                }
            }
            self.filled.notified().await;
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.messages.is_empty() && state.replies.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.messages.len() + state.replies.len()
    }

    /// Ends the queue: what waits in it fails, and so does what comes later.
    pub(crate) fn fail(&self, error: &CommError) {
        for message in self.end(End::Failed(error.clone())) {
            message.fail(error.clone());
        }
    }

    /// Ends the queue: what waits in it, and what comes later, goes to another one, if need be
    /// over the other's bound, so that nothing is lost.
    pub(crate) fn move_to(&self, other: &Arc<Self>) {
        for message in self.end(End::Moved(Arc::clone(other))) {
            let part = match message.code {
                super::message::ACK => Part::Replies,
                _ => Part::Messages,
            };
            other.push(part, message);
        }
    }

    fn end(&self, end: End) -> Vec<Outgoing> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Vec::new();
        }
        state.end = Some(end);
        let State {
            messages, replies, ..
        } = &mut *state;
        let waiting = replies.drain(..).chain(messages.drain(..)).collect();
        drop(state);
        self.messages.close();
        self.replies.close();
        self.filled.notify_one();
        waiting
    }

    /// Looks at the id that each waiting message was meant for; those for which `judge` gives an
    /// error fail with it.
    pub(crate) fn sift(&self, mut judge: impl FnMut(PeerId) -> Option<CommError>) {
        let mut refused = Vec::new();
        {
            let mut state = self.lock();
            let waiting = std::mem::take(&mut state.messages);
            for message in waiting {
                match message.expects.and_then(&mut judge) {
                    Some(error) => refused.push((message, error)),
                    None => state.messages.push_back(message),
                }
            }
        }
        for (message, error) in refused {
            message.fail(error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for which Ack of one connection.
#[derive(Debug, Default)]
pub(crate) struct AckTable(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    by_number: HashMap<u64, AckSender>,
    /// How large the table may grow before those that nobody waits for any more are removed.
    prune_at: usize,
}

impl AckTable {
    pub(crate) fn expect(&self, number: u64, waiter: AckSender) {
        let mut table = self.lock();
        if table.by_number.len() >= table.prune_at {
            table.by_number.retain(|_, waiter| !waiter.is_closed());
            table.prune_at = 64 + 2 * table.by_number.len();
        }
        table.by_number.insert(number, waiter);
    }

    /// Tells the waiter; false if there is none.
    pub(crate) fn answer(&self, number: u64, answer: Result<(), CommError>) -> bool {
        let waiter = self.lock().by_number.remove(&number);
        waiter.is_some_and(|waiter| waiter.send(answer).is_ok())
    }

    /// Tells all waiters that no answer comes.
    pub(crate) fn fail(&self, error: &CommError) {
        let waiting = std::mem::take(&mut self.lock().by_number);
        for waiter in waiting.into_values() {
            // Whoever has stopped waiting does not hear of it.
            let _ = waiter.send(Err(error.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The sending queue of one destination.
//!
//! The queue exists from the first message on, even before there is a connection. While the
//! connection has room, the queue hands messages over to it.

mod exit;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod outgoing;
mod room;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};

use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};

use super::stats::Stats;
use super::{CommError, Config, ConnectionEnd, PeerId};
use crate::arena::Gathered;
use crate::channel::{NodeBudget, OverBudget, QueueCharge};
use crate::mutex::Mutex;
use exit::{Exit, Gone};
use outgoing::cost;
pub(crate) use outgoing::{Draft, Outgoing};
pub(crate) use room::Room;

/// How many answers may wait in a queue, in addition to its messages.
const REPLIES: usize = 64;

/// One of the two parts of a queue. Answers are sent before messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Messages,
    Replies,
}

#[derive(Debug)]
pub(crate) struct SendQueue {
    state: Mutex<State>,
    /// Tells the connection that its lane accepts nothing more.
    over: Notify,
    /// When the queue ends or changes its budget, wakes the calls that wait for memory.
    changed: Notify,
    /// The free room in units. A message takes units according to its size, so that one bound
    /// covers both the number of messages and their bytes.
    messages: Arc<Semaphore>,
    replies: Arc<Semaphore>,
    unit: usize,
    total: u32,
    stats: Arc<Stats>,
}

#[derive(Debug)]
struct State {
    messages: VecDeque<Outgoing>,
    replies: VecDeque<Outgoing>,
    small: Gathered,
    /// The memory charged for waiting messages and for reserved room. A message that goes straight
    /// into the lane is charged by the lane instead.
    memory: QueueCharge,
    /// The units that messages from another queue took beyond the bound. Units that become free
    /// repay these first.
    owed: Owed,
    exit: Option<Exit>,
    end: Option<End>,
}

#[derive(Debug, Default)]
struct Owed {
    messages: usize,
    replies: usize,
}

impl Owed {
    fn part(&mut self, part: Part) -> &mut usize {
        match part {
            Part::Messages => &mut self.messages,
            Part::Replies => &mut self.replies,
        }
    }

    /// Repays owed units with the units of messages that leave. Returns the units that are left
    /// over, which are now free.
    fn pay(&mut self, part: Part, units: usize) -> usize {
        let owed = self.part(part);
        let free = units.saturating_sub(*owed);
        *owed = owed.saturating_sub(units);
        free
    }
}

impl State {
    fn part(&mut self, part: Part) -> &mut VecDeque<Outgoing> {
        match part {
            Part::Messages => &mut self.messages,
            Part::Replies => &mut self.replies,
        }
    }

    /// Charges the last message that waits in a part, unless it is already charged.
    fn charge_last(&mut self, part: Part) -> Result<(), OverBudget> {
        let queue = match part {
            Part::Messages => &mut self.messages,
            Part::Replies => &mut self.replies,
        };
        if let Some(last) = queue.back_mut().filter(|last| !last.charged) {
            self.memory.try_add(cost(last.size()))?;
            last.charged = true;
        }
        Ok(())
    }
}

#[derive(Debug)]
enum End {
    Failed(CommError),
    /// Messages go through the queue of the connection that replaced this one.
    Moved(Arc<SendQueue>),
}

/// The messages that left a queue.
#[derive(Debug, Default)]
struct Left {
    messages: u32,
    units: usize,
    /// Their charge, in bytes.
    charged: usize,
}

impl Left {
    fn count(&mut self, message: &mut Outgoing) {
        self.messages += 1;
        self.units += message.units;
        self.charged += message.uncharge();
    }
}

impl SendQueue {
    pub(crate) fn new(config: &Config, stats: &Arc<Stats>, node: &NodeBudget) -> Arc<Self> {
        let total = u32::try_from(config.queue_messages())
            .unwrap_or(u32::MAX >> 4)
            .max(1);
        let state = State {
            messages: VecDeque::new(),
            replies: VecDeque::new(),
            small: Gathered::default(),
            memory: QueueCharge::new(node.clone()),
            owed: Owed::default(),
            exit: None,
            end: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            over: Notify::new(),
            changed: Notify::new(),
            messages: Arc::new(Semaphore::new(total as usize)),
            replies: Arc::new(Semaphore::new(REPLIES)),
            unit: (config.queue_bytes() / config.queue_messages()).max(1),
            total,
            stats: Arc::clone(stats),
        })
    }

    fn room(&self, part: Part, size: usize) -> (&Arc<Semaphore>, u32) {
        let units = u32::try_from(size.div_ceil(self.unit)).unwrap_or(u32::MAX);
        match part {
            Part::Messages => (&self.messages, units.clamp(1, self.total)),
            Part::Replies => (&self.replies, units.clamp(1, REPLIES as u32)),
        }
    }

    fn total(&self, part: Part) -> usize {
        match part {
            Part::Messages => self.total as usize,
            Part::Replies => REPLIES,
        }
    }

    /// Whether there is room for a message of `size` bytes now.
    pub(crate) fn has_room(&self, part: Part, size: usize) -> bool {
        let (semaphore, units) = self.room(part, size);
        if semaphore.is_closed() || semaphore.available_permits() < units as usize {
            return false;
        }
        let holder = {
            let state = self.lock();
            let room = state.memory.check(cost(size));
            room.map_err(|over| (state.memory.holder().clone(), over))
        };
        match holder {
            Ok(()) => true,
            Err((holder, over)) => {
                holder.make_room(over);
                false
            }
        }
    }

    /// Queues a message in reserved room. If the queue has failed, the message fails. If the queue
    /// has moved, the message moves, too.
    pub(crate) fn push(&self, part: Part, mut message: Outgoing, room: Room) {
        message.units = room.take();
        message.charged = true;
        if let Err(message) = self.put(part, message) {
            message.fail(CommError::Full, &self.stats);
        }
    }

    /// Like [`push`](Self::push), but without reserved room. Returns the message if there is no
    /// room for it.
    pub(crate) fn try_push(&self, part: Part, mut message: Outgoing) -> Result<(), Outgoing> {
        let (semaphore, units) = self.room(part, message.size());
        let room = match semaphore.try_acquire_many(units) {
            Ok(room) => Some(room),
            Err(TryAcquireError::NoPermits) => return Err(message),
            // The queue has ended: `put` fails the message or moves it on.
            Err(TryAcquireError::Closed) => None,
        };
        message.units = room.as_ref().map_or(0, SemaphorePermit::num_permits);
        self.put(part, message)?;
        if let Some(room) = room {
            room.forget();
        }
        Ok(())
    }

    /// Adds a message. Returns the message if it is not charged yet, has to wait, and the memory
    /// budget has no room for it.
    fn put(&self, part: Part, mut message: Outgoing) -> Result<(), Outgoing> {
        let mut state = self.lock();
        let moved = match &state.end {
            None => return self.enter(state, part, message),
            Some(End::Failed(error)) => Err(error.clone()),
            Some(End::Moved(to)) => Ok(Arc::clone(to)),
        };
        state.memory.remove(message.uncharge());
        drop(state);
        match moved {
            Ok(to) => to.put_moved(part, message),
            Err(error) => message.fail(error, &self.stats),
        }
        Ok(())
    }

    fn enter(
        &self,
        mut state: MutexGuard<'_, State>,
        part: Part,
        mut message: Outgoing,
    ) -> Result<(), Outgoing> {
        self.stats.waiting.increment(1);
        let first = state.messages.is_empty() && state.replies.is_empty();
        message.draft.payload = state.small.take(message.draft.payload, first);
        state.part(part).push_back(message);
        let mut gone = Gone::default();
        state.hand_over(&mut gone);
        let refused = match state.charge_last(part) {
            Ok(()) => {
                // The lane may have had no memory for the message. Now that the message is charged,
                // the lane can take it.
                state.hand_over(&mut gone);
                None
            }
            Err(over) => Some((state.memory.holder().clone(), over)),
        };
        let Some((holder, over)) = refused else {
            drop(state);
            self.settle(&gone);
            return Ok(());
        };
        let back = state.part(part).pop_back();
        drop(state);
        self.settle(&gone);
        self.stats.waiting.decrement(1);
        holder.make_room(over);
        back.map_or(Ok(()), Err)
    }

    /// Adds a message from another queue. For such messages the queue may grow to twice its bound, so
    /// that two full queues can merge; further messages fail. Otherwise a remote that reconnects repeatedly would
    /// make this side hold more each time.
    fn put_moved(&self, part: Part, mut message: Outgoing) {
        let (semaphore, units) = self.room(part, message.size());
        let (units, most) = (units as usize, self.total(part));
        if !semaphore.is_closed() {
            let mut state = self.lock();
            let taken = semaphore.forget_permits(units);
            let owed = state.owed.part(part);
            let more = owed.saturating_add(units.saturating_sub(taken));
            if more > most {
                drop(state);
                semaphore.add_permits(taken);
                return message.fail(CommError::Full, &self.stats);
            }
            *owed = more;
            message.units = units;
            // The budget is not checked, because the message is already in memory.
            state.memory.add(cost(message.size()));
            message.charged = true;
        }
        if let Err(message) = self.put(part, message) {
            message.fail(CommError::Full, &self.stats);
        }
    }

    /// Returns the queue that now receives the messages: this one, or its replacement.
    pub(crate) fn current(self: &Arc<Self>) -> Arc<Self> {
        let mut queue = Arc::clone(self);
        loop {
            let next = match &queue.lock().end {
                Some(End::Moved(to)) => Arc::clone(to),
                _ => break,
            };
            queue = next;
        }
        queue
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.messages.len() + state.replies.len()
    }

    /// Ends the queue: waiting messages and later ones fail.
    pub(crate) fn fail(&self, error: &CommError) {
        let waiting = {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            state.end = Some(End::Failed(error.clone()));
            self.close(&mut state)
        };
        for (_, message) in waiting {
            message.fail(error.clone(), &self.stats);
        }
    }

    /// Ends the queue: waiting messages and later ones go to `other`. There they count towards the
    /// bounds.
    pub(crate) fn move_to(&self, other: &Arc<Self>) {
        // The queue stays locked until all messages have moved, so that later messages do not
        // overtake them.
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        for (part, message) in self.close(&mut state) {
            other.put_moved(part, message);
        }
        state.end = Some(End::Moved(Arc::clone(other)));
    }

    /// Removes all messages, answers first, and wakes the calls that wait for room.
    fn close(&self, state: &mut State) -> Vec<(Part, Outgoing)> {
        let mut waiting = Vec::new();
        for part in [Part::Replies, Part::Messages] {
            waiting.extend(state.part(part).drain(..).map(|message| (part, message)));
        }
        let charged = waiting.iter_mut().map(|(_, message)| message.uncharge());
        state.memory.remove(charged.sum());
        self.messages.close();
        self.replies.close();
        self.changed.notify_waiters();
        self.stats.waiting.decrement(waiting.len() as u32);
        waiting
    }

    /// Calls `judge` with the id that each waiting message expects. If `judge` returns an error,
    /// the message fails with that error.
    pub(crate) fn sift(&self, mut judge: impl FnMut(PeerId) -> Option<CommError>) {
        let mut refused = Vec::new();
        let mut left = Left::default();
        let free = {
            let mut state = self.lock();
            let waiting = std::mem::take(&mut state.messages);
            for mut message in waiting {
                match message.expects.as_deref().copied().and_then(&mut judge) {
                    Some(error) => {
                        left.count(&mut message);
                        refused.push((message, error));
                    }
                    None => state.messages.push_back(message),
                }
            }
            state.memory.remove(left.charged);
            state.owed.pay(Part::Messages, left.units)
        };
        self.stats.waiting.decrement(left.messages);
        self.messages.add_permits(free);
        for (message, error) in refused {
            message.fail(error, &self.stats);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for SendQueue {
    fn drop(&mut self) {
        self.fail(&CommError::PeerClosed(ConnectionEnd::TransportEnded));
    }
}

//! How a connection takes the messages of a queue.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, Weak};

use super::{Left, Outgoing, Part, SendQueue, State};
use crate::channel::{Lane, LaneSource, NotQueued};
use crate::comm::acks::AckTable;
use crate::comm::handed::Handed;

/// The connection that takes the messages of a queue.
#[derive(Debug)]
pub(super) struct Exit {
    lane: Lane,
    acks: Arc<AckTable>,
    handed: Arc<Handed>,
    /// The lane is full. It calls back when it has room again.
    blocked: bool,
    /// The lane accepts nothing more.
    over: bool,
}

impl Exit {
    /// Hands messages over while there is room.
    fn take(&mut self, queue: &mut VecDeque<Outgoing>, left: &mut Left) {
        if self.blocked || queue.is_empty() {
            return;
        }
        let mut senders = self.handed.lock();
        let look = |message: &Outgoing| (message.size(), message.charged);
        let result = self.lane.fill(queue, look, |mut message| {
            left.count(&mut message);
            message.hand_over(&self.acks, &mut senders)
        });
        match result {
            // `OverBudget` concerns only a message that is not charged yet. Such a message does not
            // stay in the queue: the caller charges it or takes it out.
            Ok(()) | Err(NotQueued::OverBudget(_)) => {}
            Err(NotQueued::Full) => self.blocked = true,
            Err(NotQueued::Refused(_)) => (self.blocked, self.over) = (true, true),
        }
    }
}

impl SendQueue {
    /// Lets a connection take messages until the returned [`Opening`] is dropped. When it is
    /// dropped, messages that the connection took but may not have written fail. A queue serves at
    /// most one connection in its lifetime.
    pub(crate) fn open(self: &Arc<Self>, lane: Lane, acks: Arc<AckTable>) -> Opening {
        let handed = Arc::new(Handed::new(Arc::clone(&self.stats)));
        let supply = Supply {
            queue: Arc::downgrade(self),
            handed: Arc::clone(&handed),
        };
        lane.set_source(Arc::new(supply));
        let mut state = self.lock();
        state.memory.connect(lane.budget());
        state.exit = Some(Exit {
            lane,
            acks,
            handed,
            blocked: false,
            over: false,
        });
        self.changed.notify_waiters();
        self.hand_over(state);
        Opening(Arc::clone(self))
    }

    /// Hands over messages, since the transport has room again.
    fn unblock(&self) {
        let mut state = self.lock();
        if let Some(exit) = &mut state.exit
            && std::mem::take(&mut exit.blocked)
        {
            self.hand_over(state);
        }
    }

    fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        let mut gone = Gone::default();
        state.hand_over(&mut gone);
        drop(state);
        self.settle(&gone);
    }

    /// Counts the messages that were handed over, and releases their units. Call this when the
    /// queue is no longer locked.
    pub(super) fn settle(&self, gone: &Gone) {
        self.stats.waiting.decrement(gone.messages);
        for (semaphore, free) in [&self.replies, &self.messages].into_iter().zip(gone.free) {
            if free > 0 {
                semaphore.add_permits(free);
            }
        }
        if gone.over {
            self.over.notify_one();
        }
    }
}

/// The messages that were handed over.
#[derive(Debug, Default)]
pub(super) struct Gone {
    messages: u32,
    /// The units that became free, of answers and of messages.
    free: [usize; 2],
    /// The connection accepts nothing more.
    over: bool,
}

impl State {
    /// Hands messages over while the connection has room, answers first.
    pub(super) fn hand_over(&mut self, gone: &mut Gone) {
        let Some(exit) = self.exit.as_mut().filter(|exit| !exit.blocked) else {
            return;
        };
        let [mut answers, mut others] = [Left::default(), Left::default()];
        exit.take(&mut self.replies, &mut answers);
        exit.take(&mut self.messages, &mut others);
        gone.over |= exit.over;
        gone.messages += answers.messages + others.messages;
        gone.free[0] += self.owed.pay(Part::Replies, answers.units);
        gone.free[1] += self.owed.pay(Part::Messages, others.units);
        self.memory.hand_over(answers.charged + others.charged);
    }
}

/// Receives the transport's calls for the queue.
struct Supply {
    queue: Weak<SendQueue>,
    handed: Arc<Handed>,
}

impl LaneSource for Supply {
    fn room(&self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.unblock();
        }
    }

    fn written(&self, frames: usize) {
        self.handed.written(frames);
    }
}

/// A connection that takes a queue's messages.
#[derive(Debug)]
pub(crate) struct Opening(Arc<SendQueue>);

impl Opening {
    /// Waits until the transport accepts nothing more. Cancel safe.
    pub(crate) async fn over(&self) {
        while !self.0.lock().exit.as_ref().is_some_and(|exit| exit.over) {
            self.0.over.notified().await;
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let exit = {
            let mut state = self.0.lock();
            state.memory.disconnect();
            state.exit.take()
        };
        self.0.changed.notify_waiters();
        if let Some(exit) = exit {
            exit.handed.fail();
        }
    }
}

//! How a connection takes the messages of a queue.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, Weak};

use super::{Left, Outgoing, Part, SendQueue, State};
use crate::channel::{Lane, LaneSource, TrySendError};
use crate::comm::acks::AckTable;
use crate::comm::handed::Handed;

/// The connection that takes the messages.
#[derive(Debug)]
pub(super) struct Exit {
    lane: Lane,
    acks: Arc<AckTable>,
    handed: Arc<Handed>,
    /// The lane is full; it calls when it has room.
    blocked: bool,
    /// It takes nothing more.
    over: bool,
}

impl Exit {
    /// Hands messages over for as long as there is room.
    fn take(&mut self, queue: &mut VecDeque<Outgoing>, left: &mut Left) {
        if self.blocked || queue.is_empty() {
            return;
        }
        let mut senders = self.handed.lock();
        let result = self.lane.fill(queue, Outgoing::size, |message| {
            left.count(&message);
            message.hand_over(&self.acks, &mut senders)
        });
        self.blocked = result.is_err();
        self.over = matches!(result, Err(TrySendError::Refused(_)));
    }
}

impl SendQueue {
    /// Lets a connection take messages until what is returned is dropped: then what it took and
    /// is not known to have written fails. A queue has one connection in its life.
    pub(crate) fn open(self: &Arc<Self>, lane: Lane, acks: Arc<AckTable>) -> Opening {
        let handed = Arc::new(Handed::new(Arc::clone(&self.stats)));
        let supply = Supply {
            queue: Arc::downgrade(self),
            handed: Arc::clone(&handed),
        };
        lane.set_source(Arc::new(supply));
        let mut state = self.lock();
        state.exit = Some(Exit {
            lane,
            acks,
            handed,
            blocked: false,
            over: false,
        });
        self.hand_over(state);
        Opening(Arc::clone(self))
    }

    /// The transport has room again.
    fn unblock(&self) {
        let mut state = self.lock();
        if let Some(exit) = &mut state.exit
            && std::mem::take(&mut exit.blocked)
        {
            self.hand_over(state);
        }
    }

    /// Hands over to the connection what it has room for, answers first.
    pub(super) fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        let State {
            messages,
            replies,
            owed,
            exit: Some(exit),
            ..
        } = &mut *state
        else {
            return;
        };
        if exit.blocked {
            return;
        }
        let [mut answers, mut others] = [Left::default(), Left::default()];
        exit.take(replies, &mut answers);
        exit.take(messages, &mut others);
        let over = exit.over;
        let free_replies = owed.pay(Part::Replies, answers.units);
        let free_messages = owed.pay(Part::Messages, others.units);
        drop(state);
        let count = answers.messages + others.messages;
        self.stats.waiting.decrement(count);
        for (semaphore, free) in [
            (&self.replies, free_replies),
            (&self.messages, free_messages),
        ] {
            if free > 0 {
                semaphore.add_permits(free);
            }
        }
        if over {
            self.over.notify_one();
        }
    }
}

/// What the transport asks.
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
    /// Waits until the transport takes nothing more. Cancel safe.
    pub(crate) async fn over(&self) {
        while !self.0.lock().exit.as_ref().is_some_and(|exit| exit.over) {
            self.0.over.notified().await;
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let exit = self.0.lock().exit.take();
        if let Some(exit) = exit {
            exit.handed.fail();
        }
    }
}

//! A message from its sender to the transport.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::channel::MESSAGE_COST;
use crate::comm::acks::{AckSender, AckTable};
use crate::comm::handed::Sender;
use crate::comm::stats::Stats;
use crate::comm::{CommError, Delivery, PeerId};

/// What a message of `size` bytes counts in the memory budgets while it waits.
pub(super) fn cost(size: usize) -> usize {
    size.saturating_add(MESSAGE_COST)
}

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
    /// Ends the message.
    pub(crate) fn refuse(self, delivery: Delivery) {
        // Whoever has stopped waiting does not hear of it.
        if let (Some((_, waiter)), Some(error)) = (self.ack, delivery.error()) {
            let _ = waiter.send(Err(error.clone()));
        }
        if let Some(done) = self.done {
            let _ = done.send(delivery);
        }
    }
}

/// A queued message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) draft: Draft,
    /// For whom it is, as long as nobody is connected.
    pub(super) expects: Option<Box<PeerId>>,
    queued: Instant,
    /// What it takes of the queue's bound.
    pub(super) units: usize,
    /// Whether it is charged while it waits.
    pub(super) charged: bool,
}

impl Outgoing {
    pub(crate) fn new(draft: Draft, expects: Option<PeerId>, now: Instant) -> Self {
        Self {
            draft,
            expects: expects.map(Box::new),
            queued: now,
            units: 0,
            charged: false,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.draft.payload.len()
    }

    /// What is charged for it, which is no more from now on.
    pub(super) fn uncharge(&mut self) -> usize {
        match std::mem::take(&mut self.charged) {
            true => cost(self.size()),
            false => 0,
        }
    }

    pub(super) fn fail(self, error: CommError, stats: &Stats) {
        stats.failed(&error);
        self.draft.refuse(Delivery::Failed(error));
    }

    /// What the transport gets; from now on an Ack counts.
    pub(super) fn hand_over(self, acks: &AckTable, senders: &mut VecDeque<Sender>) -> (u64, Bytes) {
        let draft = self.draft;
        if let Some((number, waiter)) = draft.ack {
            acks.expect(number, waiter);
        }
        senders.push_back(Sender {
            done: draft.done,
            queued: self.queued,
        });
        (draft.code, draft.payload)
    }
}

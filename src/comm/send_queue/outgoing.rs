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

/// How much a waiting message of `size` bytes is charged to the memory budgets.
pub(super) fn cost(size: usize) -> usize {
    size.saturating_add(MESSAGE_COST)
}

/// A message on its way into a queue.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) code: u64,
    pub(crate) payload: Bytes,
    /// The number of the expected Ack, and its waiter.
    pub(crate) ack: Option<(u64, AckSender)>,
    pub(crate) done: Option<oneshot::Sender<Delivery>>,
}

impl Draft {
    /// Ends the message, and reports the outcome.
    pub(crate) fn refuse(self, delivery: Delivery) {
        // A failure to notify is ignored, because the calls that waited may have been dropped.
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
    /// The expected identity, until there is a connection.
    pub(super) expects: Option<Box<PeerId>>,
    queued: Instant,
    /// How many units of the queue's bound the message takes.
    pub(super) units: usize,
    /// Whether the message is charged to the memory budgets.
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

    /// Stops charging the message, and returns the charge in bytes.
    pub(super) fn uncharge(&mut self) -> usize {
        if std::mem::take(&mut self.charged) {
            cost(self.size())
        } else {
            0
        }
    }

    pub(super) fn fail(self, error: CommError, stats: &Stats) {
        stats.failed(&error);
        self.draft.refuse(Delivery::Failed(error));
    }

    /// Returns code and payload for the transport. From then on, an Ack for the message is
    /// accepted.
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

//! Messages that the transport has taken but may not have written yet.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::stats::Stats;
use super::{CommError, ConnectionEnd, Delivery};
use crate::mutex::Mutex;

/// The sender of a message, and when the message was queued.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) done: Option<oneshot::Sender<Delivery>>,
    pub(crate) queued: Instant,
}

impl Sender {
    fn tell(self, delivery: Delivery) {
        if let Some(done) = self.done {
            // The sender may have stopped waiting.
            let _ = done.send(delivery);
        }
    }
}

/// The senders of one connection's messages, in the order in which the messages are written.
/// Because of this order, the number of written messages suffices to find the senders to notify.
#[derive(Debug)]
pub(crate) struct Handed {
    senders: Mutex<VecDeque<Sender>>,
    stats: Arc<Stats>,
}

impl Handed {
    pub(crate) fn new(stats: Arc<Stats>) -> Self {
        let senders = Mutex::default();
        Self { senders, stats }
    }

    /// Locks the list of senders. The caller keeps the lock while it hands messages over.
    pub(crate) fn lock(&self) -> MutexGuard<'_, VecDeque<Sender>> {
        self.senders.lock()
    }

    /// Notifies the senders of the next `count` messages, which have been written.
    pub(crate) fn written(&self, count: usize) {
        let written: Vec<_> = {
            let mut senders = self.lock();
            let count = count.min(senders.len());
            senders.drain(..count).collect()
        };
        let now = Instant::now();
        let queued = written.iter().map(|sender| sender.queued);
        self.stats
            .sent(queued.map(|queued| now.saturating_duration_since(queued)));
        for sender in written {
            sender.tell(Delivery::Sent);
        }
    }

    /// Fails the remaining messages, since nobody reports any more whether they were written.
    pub(crate) fn fail(&self) {
        let senders = std::mem::take(&mut *self.lock());
        for sender in senders {
            let error = CommError::PeerClosed(ConnectionEnd::TransportEnded);
            self.stats.failed(&error);
            sender.tell(Delivery::Failed(error));
        }
    }
}

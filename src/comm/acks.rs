//! The calls that wait for acknowledgements.

use std::collections::HashMap;
use std::sync::MutexGuard;

use tokio::sync::oneshot;

use super::CommError;
use crate::mutex::Mutex;

pub(crate) type AckSender = oneshot::Sender<Result<(), CommError>>;

/// The calls that wait for Acks on one connection, by number.
#[derive(Debug, Default)]
pub(crate) struct AckTable(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    by_number: HashMap<u64, AckSender>,
    /// When the table reaches this size, waiters whose calls were dropped are removed.
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

    /// Hands an answer to the call that waits for it; returns false if none does.
    pub(crate) fn answer(&self, number: u64, answer: Result<(), CommError>) -> bool {
        let waiter = self.lock().by_number.remove(&number);
        waiter.is_some_and(|waiter| waiter.send(answer).is_ok())
    }

    /// Fails all waiters, because no answer can arrive any more.
    pub(crate) fn fail(&self, error: &CommError) {
        let waiting = std::mem::take(&mut self.lock().by_number);
        for waiter in waiting.into_values() {
            // The call may have been dropped.
            let _ = waiter.send(Err(error.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock()
    }
}

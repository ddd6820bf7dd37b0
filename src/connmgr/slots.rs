//! How many accepted connections there may be.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Refusal;

/// Slots for accepted connections. A slot lives as long as the socket that it was taken for and is
/// freed by drop, so it can neither leak nor be freed twice.
#[derive(Debug, Clone)]
pub(super) struct InboundSlots {
    limit: usize,
    free: Arc<Semaphore>,
}

/// One of the slots, freed when dropped.
#[derive(Debug)]
pub(super) struct Slot(#[expect(dead_code, reason = "held to be dropped")] OwnedSemaphorePermit);

impl InboundSlots {
    /// So many; `None` is as many as the system has sockets.
    pub(super) fn new(limit: Option<usize>) -> Self {
        let limit = limit.map_or(Semaphore::MAX_PERMITS, |limit| {
            limit.min(Semaphore::MAX_PERMITS)
        });
        Self {
            limit,
            free: Arc::new(Semaphore::new(limit)),
        }
    }

    /// Takes a slot if one is free.
    pub(super) fn take(&self) -> Result<Slot, Refusal> {
        Arc::clone(&self.free)
            .try_acquire_owned()
            .map(Slot)
            .map_err(|_| Refusal::LimitReached { limit: self.limit })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_more_than_the_limit_at_once() {
        let slots = InboundSlots::new(Some(8));
        let live = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    let Ok(slot) = slots.take() else { return };
                    assert!(live.fetch_add(1, Ordering::AcqRel) < 8);
                    std::thread::yield_now();
                    live.fetch_sub(1, Ordering::AcqRel);
                    drop(slot);
                });
            }
        });
        assert_eq!(slots.free.available_permits(), 8);
    }

    #[test]
    fn no_slots_and_no_limit() {
        let none = InboundSlots::new(Some(0)).take().map(drop);
        assert_eq!(none, Err(Refusal::LimitReached { limit: 0 }));
        assert!(InboundSlots::new(None).take().is_ok());
        assert!(InboundSlots::new(Some(usize::MAX)).take().is_ok());
    }
}

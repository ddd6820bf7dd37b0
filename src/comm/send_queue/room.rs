//! Reserved room in a queue.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{Part, SendQueue, cost};
use crate::channel::OverBudget;

/// Room for one message, in the queue's bounds and in the memory budgets. Released on drop.
#[derive(Debug)]
pub(crate) struct Room {
    queue: Arc<SendQueue>,
    permit: Option<OwnedSemaphorePermit>,
    charged: usize,
}

impl Room {
    pub(crate) fn is_of(&self, queue: &Arc<SendQueue>) -> bool {
        Arc::ptr_eq(&self.queue, queue)
    }

    /// Hands the room to a message, and returns how many units that is.
    pub(super) fn take(mut self) -> usize {
        self.charged = 0;
        let permit = self.permit.take();
        permit.map_or(0, |permit| {
            let units = permit.num_permits();
            permit.forget();
            units
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.queue.lock().memory.remove(self.charged);
    }
}

impl SendQueue {
    /// Waits for room for a message of `size` bytes, in the order of calls. Returns `None` if the
    /// queue ends first. Cancel safe.
    pub(crate) async fn reserve(self: &Arc<Self>, part: Part, size: usize) -> Option<Room> {
        let (semaphore, units) = self.room(part, size);
        let permit = Arc::clone(semaphore).acquire_many_owned(units).await.ok()?;
        let mut room = Room {
            queue: Arc::clone(self),
            permit: Some(permit),
            charged: 0,
        };
        let bytes = cost(size);
        while self.try_charge(bytes)?.is_err() {
            let changed = self.changed.notified();
            let holder = self.lock().memory.holder().clone();
            let [own, nodes] = holder.room();
            tokio::pin!(changed, own, nodes);
            // The three waits begin before the next attempt, so that room which becomes free in the
            // meantime is noticed.
            changed.as_mut().enable();
            own.as_mut().enable();
            nodes.as_mut().enable();
            match self.try_charge(bytes)? {
                Ok(()) => break,
                Err(over) => holder.make_room(over),
            }
            tokio::select! {
                // The order does not matter: each branch leads to another attempt.
                biased;
                () = changed => {}
                () = own => {}
                () = nodes => {}
            }
        }
        room.charged = bytes;
        Some(room)
    }

    /// Charges the memory for a message; `None` if the queue has ended.
    fn try_charge(&self, bytes: usize) -> Option<Result<(), OverBudget>> {
        let mut state = self.lock();
        match state.end {
            None => Some(state.memory.try_add(bytes)),
            Some(_) => None,
        }
    }
}

//! Places for inbound connections that are being set up.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::mutex::Mutex;
use crate::time::after;

/// How long a connection may say nothing while others wait for its slot.
const SILENT: Duration = Duration::from_secs(1);

/// One in this number of slots is kept for addresses that are known.
const KNOWN_SHARE: usize = 8;

/// A bounded number of slots. When all are taken, connections that have not sent a byte yet go first, the
/// oldest before the others. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    /// What strangers leave to others.
    reserve: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// By age.
    taken: BTreeMap<u64, Taken>,
    strangers: usize,
}

#[derive(Debug)]
struct Taken {
    since: Instant,
    known: bool,
    /// Whether its connection has not sent a byte.
    silent: bool,
    wanted: CancellationToken,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            reserve: limit / KNOWN_SHARE,
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Takes a slot as soon as there is one. Cancel safe.
    pub(crate) async fn take(&self, known: bool) -> Slot {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change in between is missed.
            changed.as_mut().enable();
            let again = match self.try_take(known) {
                Ok(slot) => return slot,
                Err(again) => again,
            };
            let later = async {
                match again {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Either means to look again.
                biased;
                () = changed => {}
                () = later => {}
            }
        }
    }

    /// Takes a slot, or says when a silent connection has had its time.
    fn try_take(&self, known: bool) -> Result<Slot, Option<Instant>> {
        let now = Instant::now();
        let mut state = self.lock();
        let room = match known {
            true => state.taken.len() < self.0.limit,
            false => state.strangers < self.0.limit - self.0.reserve,
        };
        if !room {
            return Err(state.want_one(now));
        }
        state.last += 1;
        let id = state.last;
        state.strangers += usize::from(!known);
        let wanted = CancellationToken::new();
        let taken = Taken {
            since: now,
            known,
            silent: true,
            wanted: wanted.clone(),
        };
        state.taken.insert(id, taken);
        Ok(Slot {
            slots: self.clone(),
            id,
            wanted,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl State {
    /// Lets the oldest silent connection go that has had its time; one at a time is enough.
    fn want_one(&mut self, now: Instant) -> Option<Instant> {
        let mut silent = self.taken.values().filter(|taken| taken.silent);
        let oldest = silent.find(|taken| !taken.wanted.is_cancelled())?;
        let due = after(oldest.since, SILENT);
        if due > now {
            return Some(due);
        }
        oldest.wanted.cancel();
        None
    }
}

/// A connection's slot, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    id: u64,
    wanted: CancellationToken,
}

impl Slot {
    /// The connection has sent its first byte.
    pub(crate) fn on_first_byte(&self) {
        if let Some(taken) = self.slots.lock().taken.get_mut(&self.id) {
            taken.silent = false;
        }
    }

    /// Completes when the connection has been silent for too long while others wait. Cancel safe.
    pub(crate) async fn wanted(&self) {
        self.wanted.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        let taken = state.taken.remove(&self.id);
        state.strangers -= usize::from(taken.is_some_and(|taken| !taken.known));
        drop(state);
        self.slots.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_silent_connection_goes_after_a_second() {
        let slots = Slots::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(slots.take(false).await);
            advance(SILENT / 10).await;
        }
        taken[0].on_first_byte();
        let begun = Instant::now();
        let next = slots.take(false);
        let victim = async {
            taken[1].wanted().await;
            taken.remove(1)
        };
        let (next, gone) = tokio::join!(next, async { drop(victim.await) });
        assert_eq!((begun.elapsed(), gone), (SILENT * 8 / 10, ()));
        drop(next);
        assert!(taken.iter().all(|slot| !slot.wanted.is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_pressure_silence_is_nobodys_matter() {
        let slots = Slots::new(3);
        let slot = slots.take(false).await;
        advance(SILENT * 100).await;
        let _other = slots.take(false).await;
        assert!(!slot.wanted.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn known_addresses_find_room_where_strangers_have_taken_all() {
        let slots = Slots::new(16);
        let mut strangers = Vec::new();
        for _ in 0..14 {
            strangers.push(slots.take(false).await);
        }
        let waits = tokio::time::timeout(SILENT / 2, slots.take(false)).await;
        assert!(waits.is_err());
        let known = [slots.take(true).await, slots.take(true).await];
        assert!(strangers.iter().all(|slot| !slot.wanted.is_cancelled()));
        drop((known, strangers));
        let state = slots.lock();
        assert!(state.taken.is_empty() && state.strangers == 0);
    }
}

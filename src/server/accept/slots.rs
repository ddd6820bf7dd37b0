//! Slots for inbound connections in set-up.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::mutex::Mutex;
use crate::time::after;

/// How long a silent remote may keep its slot while other connections wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lower bound of the patience for an auth. The patience falls while connections arrive faster
/// than slots become free.
///
/// This bound can be less than a round trip, since a remote sends its auth as soon as the
/// connection is open.
const LEAST: Duration = Duration::from_millis(50);

/// How much the patience grows with each connection that gets a slot at once.
const REGAINED: Duration = Duration::from_millis(10);

/// One in this number of slots is reserved for known addresses.
const KNOWN_SHARE: usize = 8;

/// A bounded number of slots. Clones share them.
///
/// If all slots are taken and a connection waits, the first set-up that exceeds its time for a step
/// is ended. The steps are the remote's first byte, its auth, and its Hello.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    last: u64,
    /// The taken slots, oldest first.
    taken: BTreeMap<u64, Taken>,
    strangers: usize,
    /// The current time limit for an auth, between [`LEAST`] and [`PATIENCE`].
    patience: Duration,
}

#[derive(Debug)]
struct Taken {
    known: bool,
    awaits: Awaits,
    since: Instant,
    wanted: CancellationToken,
}

/// What a set-up waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// The remote's auth, or the rest of it.
    Auth,
    /// A step of this side. A slot has no time limit during such a step.
    Us,
    /// The remote's Hello, which takes a round trip.
    Hello,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                limit,
                last: 0,
                taken: BTreeMap::new(),
                strangers: 0,
                patience: PATIENCE,
            }),
            changed: Notify::new(),
        }))
    }

    /// Changes the number of slots. Excess set-ups keep their slots until they end.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.lock().limit = limit;
        self.0.changed.notify_waiters();
    }

    /// Takes a slot as soon as one is free. Cancel safe.
    pub(crate) async fn take(&self, known: bool) -> Slot {
        let mut waited = false;
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // The wait is registered before the attempt, so that no change in between is missed.
            changed.as_mut().enable();
            let again = match self.try_take(known) {
                Ok(slot) => {
                    if !waited {
                        self.lock().relax();
                    }
                    return slot;
                }
                Err(again) => again,
            };
            if !std::mem::replace(&mut waited, true) && again.is_some() {
                self.lock().hurry();
            }
            let later = async {
                match again {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The order of the branches does not matter, because each leads to another attempt.
                biased;
                () = changed => {}
                () = later => {}
            }
        }
    }

    /// Takes a slot, if one is free.
    ///
    /// Otherwise ends a set-up that has exceeded its time. If there is none, returns the time at
    /// which the first set-up will exceed its time.
    fn try_take(&self, known: bool) -> Result<Slot, Option<Instant>> {
        let now = Instant::now();
        let mut state = self.lock();
        let room = if known {
            state.taken.len() < state.limit
        } else {
            state.strangers < state.limit - state.limit / KNOWN_SHARE
        };
        if !room {
            return Err(state.want_one(now));
        }
        state.last += 1;
        let id = state.last;
        state.strangers += usize::from(!known);
        let wanted = CancellationToken::new();
        let taken = Taken {
            known,
            awaits: Awaits::Auth,
            since: now,
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
    /// Ends the first set-up that has exceeded its time. If there is none, returns the time at
    /// which a set-up will exceed its time.
    ///
    /// One set-up per call is enough, because a caller needs only one slot.
    fn want_one(&mut self, now: Instant) -> Option<Instant> {
        let staying = self
            .taken
            .values()
            .filter(|taken| !taken.wanted.is_cancelled());
        let due = staying.filter_map(|taken| match taken.awaits {
            Awaits::Auth => Some((after(taken.since, self.patience), taken)),
            Awaits::Hello => Some((after(taken.since, PATIENCE), taken)),
            Awaits::Us => None,
        });
        let (due, first) = due.min_by_key(|(due, _)| *due)?;
        if due > now {
            return Some(due);
        }
        first.wanted.cancel();
        None
    }

    /// Raises the patience, since a connection got a slot at once.
    fn relax(&mut self) {
        self.patience = PATIENCE.min(self.patience.saturating_add(REGAINED));
    }

    /// Lowers the patience, since a connection waits and no set-up has exceeded its time.
    fn hurry(&mut self) {
        self.patience = LEAST.max(self.patience.checked_div(2).unwrap_or_default());
    }
}

/// A connection's slot. Dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    id: u64,
    wanted: CancellationToken,
}

impl Slot {
    /// Records that the set-up has completed a step, and what the set-up waits for next.
    pub(crate) fn awaits(&self, awaits: Awaits) {
        if let Some(taken) = self.slots.lock().taken.get_mut(&self.id) {
            taken.awaits = awaits;
            taken.since = Instant::now();
        }
    }

    /// Completes when the remote has exceeded its time while other connections wait for a slot.
    /// Cancel safe.
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
    async fn a_remote_without_a_step_for_a_second_loses_its_slot() {
        let slots = Slots::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(slots.take(false).await);
            advance(PATIENCE / 10).await;
        }
        taken[0].awaits(Awaits::Us);
        let begun = Instant::now();
        let next = slots.take(false);
        let victim = async {
            taken[1].wanted().await;
            taken.remove(1)
        };
        let (next, gone) = tokio::join!(next, async { drop(victim.await) });
        assert_eq!((begun.elapsed(), gone), (PATIENCE * 8 / 10, ()));
        drop(next);
        assert!(taken.iter().all(|slot| !slot.wanted.is_cancelled()));
    }

    /// The time starts again after the first bytes, and when the Hello is awaited.
    #[tokio::test(start_paused = true)]
    async fn a_connection_has_a_second_for_each_step() {
        let slots = Slots::new(1);
        for awaits in [Awaits::Auth, Awaits::Hello] {
            let slot = slots.take(false).await;
            advance(PATIENCE * 9 / 10).await;
            slot.awaits(awaits);
            advance(PATIENCE * 9 / 10).await;
            let waits = slots.try_take(false).expect_err("taken");
            assert_eq!(waits, Some(after(Instant::now(), PATIENCE / 10)));
            advance(PATIENCE / 10).await;
            slots.try_take(false).expect_err("still taken");
            assert!(slot.wanted.is_cancelled());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_an_auth_falls_under_load_and_recovers() {
        let slots = Slots::new(2);
        let begun = Instant::now();
        for _ in 0..40 {
            let slot = slots.take(false).await;
            tokio::spawn(async move { slot.wanted().await });
        }
        assert_eq!(slots.lock().patience, LEAST);
        assert!(begun.elapsed() < 5 * PATIENCE, "{:?}", begun.elapsed());
        for _ in 0..100 {
            advance(PATIENCE).await;
            drop(slots.take(false).await);
        }
        assert_eq!(slots.lock().patience, PATIENCE);
    }

    /// All set-ups exceed their time at once, so a few waits suffice for all connections.
    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_silent_remotes_is_gone_in_about_two_seconds() {
        let slots = Slots::new(50);
        let begun = Instant::now();
        for _ in 0..300 {
            let slot = slots.take(false).await;
            tokio::spawn(async move { slot.wanted().await });
        }
        assert!(begun.elapsed() < PATIENCE * 9 / 4, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn silent_remotes_stay_while_no_connection_waits() {
        let slots = Slots::new(3);
        let slot = slots.take(false).await;
        advance(PATIENCE * 100).await;
        let _other = slots.take(false).await;
        assert!(!slot.wanted.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_slots_changes() {
        let slots = Slots::new(1);
        let first = slots.take(false).await;
        let wait = tokio::spawn({
            let slots = slots.clone();
            async move { slots.take(false).await }
        });
        tokio::task::yield_now().await;
        slots.set_limit(2);
        let second = wait.await.expect("there is one now");
        slots.set_limit(1);
        drop(first);
        assert!(slots.try_take(false).is_err(), "one slot is taken");
        drop(second);
        assert!(slots.try_take(false).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn known_addresses_get_slots_that_strangers_cannot_take() {
        let slots = Slots::new(16);
        let mut strangers = Vec::new();
        for _ in 0..14 {
            strangers.push(slots.take(false).await);
        }
        let waits = tokio::time::timeout(LEAST / 2, slots.take(false)).await;
        assert!(waits.is_err());
        let known = [slots.take(true).await, slots.take(true).await];
        assert!(strangers.iter().all(|slot| !slot.wanted.is_cancelled()));
        drop((known, strangers));
        let state = slots.lock();
        assert!(state.taken.is_empty() && state.strangers == 0);
    }
}

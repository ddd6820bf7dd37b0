//! Turns due requests into dials.

use tokio::time::Instant;

use super::pacing::Pace;
use super::{Action, Machine, Phase};
use crate::connmgr::error::ConnectError;
use crate::connmgr::request::{Address, Kind, ReqId};

impl<A: Address> Machine<A> {
    /// Queues the requests that are due.
    pub(in crate::connmgr) fn advance(&mut self, now: Instant) {
        while let Some(&(until, id)) = self.timers.first()
            && until <= now
        {
            self.timers.remove(&(until, id));
            self.enqueue(id);
        }
        self.pump(now);
    }

    /// Queues a request for a dial slot, but not before `earliest`.
    pub(super) fn schedule(&mut self, id: ReqId, earliest: Option<Instant>, now: Instant) {
        match earliest {
            Some(until) if until > now => self.set_phase(
                id,
                Phase::Waiting {
                    until,
                    failed: false,
                },
            ),
            _ => self.enqueue(id),
        }
    }

    /// Fills free dial slots, and asks for addresses while automatic slots are free.
    pub(super) fn pump(&mut self, now: Instant) {
        self.pace_at = None;
        self.claims.forget(now);
        if self.stopping || self.paused {
            return;
        }
        if !self.start_dials(now) {
            // The limit on refusals is reached. Before the next dial, the driver must check whether
            // there is room for more events.
            self.pace_at = Some(now);
            return;
        }
        // Ask only if no automatic request waits for a dial slot, since a waiting address may
        // become stale.
        if self.has_source && self.automatic_queue.is_empty() {
            let connected = self.counts.any_connected();
            match self.pacing.next(self.counts.automatic, connected, now) {
                Pace::Ask => self.actions.push_back(Action::Ask),
                Pace::At(time) => self.pace_at = Some(time),
                Pace::Wait => {}
            }
        }
    }

    /// Fills the dial slots from the queues.
    ///
    /// When it is a request's turn and the filter refuses it, the request fails. Returns false if
    /// the limit on refusals is reached while requests are still queued.
    fn start_dials(&mut self, now: Instant) -> bool {
        while self.counts.dialing < self.config.max_dials() {
            if self.refusals >= self.config.max_dials() {
                return self.queue.is_empty() && self.automatic_queue.is_empty();
            }
            let Some(id) = self.next_queued() else {
                break;
            };
            let wanted = self.entries.get(&id).map(|entry| &entry.candidate);
            match wanted.map_or(Ok(()), |candidate| self.filter.dial(candidate)) {
                Ok(()) => self.start_dial(id, now),
                Err(refusal) => {
                    self.fail(id, ConnectError::Unwanted(refusal), now);
                    self.refusals += 1;
                }
            }
        }
        true
    }

    /// Takes the next request. Automatic and explicit requests alternate, so that neither kind
    /// starves the other.
    fn next_queued(&mut self) -> Option<ReqId> {
        let (first, second) = if self.automatic_turn {
            (&self.automatic_queue, &self.queue)
        } else {
            (&self.queue, &self.automatic_queue)
        };
        let (_, &id) = first.first_key_value().or(second.first_key_value())?;
        self.automatic_turn = !self.automatic_queue_holds(id);
        Some(id)
    }

    fn automatic_queue_holds(&self, id: ReqId) -> bool {
        let entry = self.entries.get(&id);
        entry.is_some_and(|entry| entry.kind == Kind::Automatic)
    }

    fn start_dial(&mut self, id: ReqId, now: Instant) {
        self.set_phase(id, Phase::Dialing);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.generation = entry.generation.wrapping_add(1);
        entry.last_dial = Some(now);
        self.claims.note_dial(&entry.candidate, now);
        self.counts.dialing += 1;
        self.actions.push_back(Action::Dial {
            id,
            generation: entry.generation,
            addr: entry.candidate.addr().clone(),
            key: entry.candidate.key().cloned(),
        });
    }
}

//! Outcomes of dials, accepted sockets and connections.

use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Machine, Opening, Phase};
use crate::connmgr::error::{CloseReason, ConnectError, Refusal};
use crate::connmgr::request::{Address, Candidate, ConnState, Kind, Reconnect, ReqId};
use crate::time::after;

/// Minimum time between two new connections that count as signs that the network is back.
const REVIVE_GAP: Duration = Duration::from_secs(60);

impl<A: Address> Machine<A> {
    /// Handles the end of a dial.
    ///
    /// If no request waits for a successful dial, the dial is ignored and the caller closes its
    /// stream.
    pub(in crate::connmgr) fn dial_done(
        &mut self,
        id: ReqId,
        generation: u32,
        result: Result<(), ConnectError>,
        now: Instant,
    ) -> Option<Opening<A>> {
        self.counts.dialing = self.counts.dialing.saturating_sub(1);
        let opening = self.settle(id, generation, result, now);
        self.pump(now);
        opening
    }

    fn settle(
        &mut self,
        id: ReqId,
        generation: u32,
        result: Result<(), ConnectError>,
        now: Instant,
    ) -> Option<Opening<A>> {
        let entry = self.entries.get(&id)?;
        if entry.phase != Phase::Dialing || entry.generation != generation {
            return None;
        }
        match result {
            Ok(()) => {
                let (kind, addr) = (entry.kind, entry.candidate.addr().clone());
                let (family, key) = (entry.candidate.family(), entry.candidate.key().cloned());
                self.sign_of_life(now);
                self.pacing.on_success(family);
                self.set_phase(id, connected(now));
                Some(Opening {
                    id,
                    kind,
                    addr,
                    key,
                    generation,
                })
            }
            Err(error) => {
                let counts = !error.is_local() && !self.counts.any_connected();
                if entry.kind == Kind::Automatic && counts {
                    let family = entry.candidate.family();
                    self.pacing.on_failure(family, now, &mut self.rng);
                }
                self.fail(id, error, now);
                None
            }
        }
    }

    /// Handles a failed or refused dial: a permanent request waits, others end.
    pub(super) fn fail(&mut self, id: ReqId, error: ConnectError, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let unwanted = matches!(error, ConnectError::Unwanted(_));
        entry.failures = entry.failures.saturating_add(1);
        if unwanted {
            entry.unwanted = entry.unwanted.saturating_add(1);
        }
        let until = match entry.kind {
            Kind::Permanent(_) if error.is_retryable() => Some(self.retry_at(id, now)),
            _ => None,
        };
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if !unwanted {
            entry.due = until;
        }
        self.actions.push_back(Action::DialFailed {
            id,
            addr: entry.candidate.addr().clone(),
            key: entry.candidate.key().cloned(),
            error: error.clone(),
            failures: entry.failures,
            retry_in: until.map(|until| until.saturating_duration_since(now)),
        });
        match until {
            Some(until) => self.set_phase(
                id,
                Phase::Waiting {
                    until,
                    failed: true,
                },
            ),
            None => self.finish(id, ConnState::Failed(error)),
        }
    }

    /// Returns when to redial a request that failed or lost its connection.
    fn retry_at(&mut self, id: ReqId, now: Instant) -> Instant {
        let Some(entry) = self.entries.get(&id) else {
            return now;
        };
        let (backoff, gap) = match entry.kind {
            Kind::Permanent(retry) => (retry.backoff(), retry.redial_gap()),
            _ => (self.config.backoff(), Duration::ZERO),
        };
        // Even the first retry is spread, so that connections lost in one outage do not all return
        // at once.
        let wait = backoff.draw(entry.failures.max(1), &mut self.rng);
        let earliest = entry.last_dial.map_or(now, |last| after(last, gap));
        after(now, wait).max(earliest)
    }

    /// Handles a new connection: if nothing else is connected, the network may be back.
    ///
    /// Since unknown remotes can also cause this by connecting, it counts at most once per
    /// `REVIVE_GAP`.
    fn sign_of_life(&mut self, now: Instant) {
        let rested = self
            .revived
            .is_none_or(|last| after(last, REVIVE_GAP) <= now);
        if rested && !self.counts.any_connected() {
            self.network_changed(now);
        }
    }

    /// Handles an accepted connection.
    pub(in crate::connmgr) fn accepted(
        &mut self,
        addr: A,
        now: Instant,
    ) -> Result<Opening<A>, Refusal> {
        self.filter.accept(&addr)?;
        self.sign_of_life(now);
        let id = self.fresh_id();
        self.inbound_addrs.insert(addr.clone(), id);
        let candidate = Candidate::new(addr.clone());
        self.insert(id, Kind::Inbound, candidate, None, connected(now));
        Ok(Opening {
            id,
            kind: Kind::Inbound,
            addr,
            key: None,
            generation: 0,
        })
    }

    /// Handles that the owner marked a connection ready.
    pub(in crate::connmgr) fn ready(&mut self, id: ReqId, generation: u32) {
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.generation == generation
            && let Phase::Connected {
                since,
                ready: false,
            } = entry.phase
        {
            (entry.failures, entry.unwanted) = (0, 0);
            self.set_phase(id, Phase::Connected { since, ready: true });
        }
    }

    /// Handles that the owner dropped a connection.
    pub(in crate::connmgr) fn dropped(
        &mut self,
        id: ReqId,
        generation: u32,
        reason: CloseReason,
        reconnect: Reconnect,
        now: Instant,
    ) {
        let entry = self.entries.get(&id);
        if entry.is_some_and(|entry| entry.generation == generation && entry.is_connected()) {
            self.end(id, reason, reconnect, now);
            self.pump(now);
        }
    }

    /// Reports the end of a connection and determines its request's next phase.
    pub(super) fn end(
        &mut self,
        id: ReqId,
        reason: CloseReason,
        reconnect: Reconnect,
        now: Instant,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Phase::Connected { since, ready } = entry.phase else {
            return;
        };
        let lasted = ready || now.saturating_duration_since(since) >= self.config.stable_after();
        if lasted {
            (entry.failures, entry.unwanted) = (0, 0);
        } else {
            entry.failures = entry.failures.saturating_add(1);
        }
        let again = match (entry.kind, reconnect) {
            _ if self.stopping => false,
            (Kind::Inbound, _) | (_, Reconnect::Never) => false,
            (Kind::Permanent(_), _) | (_, Reconnect::Force) => true,
            (Kind::Automatic | Kind::OneShot, Reconnect::ByKind) => false,
        };
        let reason = if self.stopping {
            CloseReason::Shutdown
        } else {
            reason
        };
        self.actions.push_back(Action::Closed {
            id,
            key: entry.candidate.key().cloned(),
            reason: reason.clone(),
        });
        if again {
            let until = self.retry_at(id, now);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.due = Some(until);
            }
            self.set_phase(
                id,
                Phase::Waiting {
                    until,
                    failed: false,
                },
            );
        } else {
            self.finish(id, ConnState::Disconnected(reason));
        }
    }

    /// Handles the address source's answer.
    pub(in crate::connmgr) fn sourced(&mut self, candidate: Option<Candidate<A>>, now: Instant) {
        self.pacing
            .on_answer(candidate.is_some(), now, &mut self.rng);
        if let Some(candidate) = candidate
            && !self.stopping
            && self.automatic.len() < self.pacing.target
            && self.filter.dial(&candidate).is_ok()
        {
            let id = self.fresh_id();
            if let Ok(claim) = self.claims.claim(&candidate, id, true) {
                let phase = Phase::Queued { place: 0 };
                self.insert(id, Kind::Automatic, candidate, Some(claim), phase);
                self.enqueue(id);
            }
        }
        self.pump(now);
    }

    /// Pauses or resumes dials; returns whether this changes anything.
    ///
    /// The driver pauses dials while it has no room for the events that dials cause. It must call
    /// this after each round of actions. The call also resets the number of refusals, because the
    /// limit on refusals applies to each round.
    pub(in crate::connmgr) fn set_paused(&mut self, paused: bool, now: Instant) -> bool {
        self.refusals = 0;
        let changed = self.paused != paused;
        self.paused = paused;
        if changed {
            self.pump(now);
        }
        changed
    }
}

fn connected(now: Instant) -> Phase {
    Phase::Connected {
        since: now,
        ready: false,
    }
}

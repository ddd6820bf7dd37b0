//! Commands from the owner of a manager.

use tokio::time::Instant;

use super::{Action, Entry, Machine, Phase, counter};
use crate::connmgr::claims::Taken;
use crate::connmgr::error::{CloseReason, ManagerError};
use crate::connmgr::request::{
    Address, Candidate, Counts, Kind, Reconnect, ReqId, RequestInfo, RetryPolicy,
};
use crate::connmgr::token_bucket::Rate;
use crate::time::after;

impl<A: Address> Machine<A> {
    /// Creates a request for the caller: `Permanent` or `OneShot`.
    pub(in crate::connmgr) fn connect(
        &mut self,
        candidate: Candidate<A>,
        retry: Option<RetryPolicy>,
        now: Instant,
    ) -> Result<ReqId, ManagerError> {
        self.check_running()?;
        let explicit = [self.counts.permanent, self.counts.one_shot];
        let explicit: usize = explicit
            .iter()
            .map(|kind| kind.pending + kind.connected)
            .sum();
        if explicit >= self.config.max_requests() {
            let limit = self.config.max_requests();
            return Err(ManagerError::LimitReached { limit });
        }
        match self.filter.dial(&candidate) {
            Err(refusal) if retry.is_none() || refusal.is_lasting() => {
                return Err(ManagerError::Refused(refusal));
            }
            _ => {}
        }
        let id = self.fresh_id();
        let claim = self.claims.claim(&candidate, id, false);
        let claim = claim.map_err(|taken| ManagerError::AlreadyManaged(holder(taken, id)))?;
        let kind = retry.map_or(Kind::OneShot, Kind::Permanent);
        let last_dial = self.claims.last_dial(&candidate);
        let phase = Phase::Queued { place: 0 };
        self.insert(id, kind, candidate, Some(claim), phase);
        let earliest = retry
            .zip(last_dial)
            .map(|(retry, last)| after(last, retry.redial_gap()));
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.due = earliest;
        }
        self.schedule(id, earliest, now);
        self.pump(now);
        Ok(id)
    }

    /// Ends a request's connection, or the request itself if it has no connection.
    ///
    /// With `Force`, a request without a connection continues instead. If it waits, it is dialled
    /// at once.
    pub(in crate::connmgr) fn disconnect(
        &mut self,
        id: ReqId,
        reconnect: Reconnect,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        let entry = known(id, self.entries.get(&id))?;
        if reconnect == Reconnect::Force && entry.kind == Kind::Inbound {
            return Err(ManagerError::Inbound(id));
        }
        match (entry.phase, reconnect) {
            (Phase::Connected { .. }, _) => {
                self.actions.push_back(Action::Close { id });
                self.end(id, CloseReason::Requested, reconnect, now);
            }
            (Phase::Waiting { .. }, Reconnect::Force) => self.enqueue(id),
            (Phase::Queued { .. } | Phase::Dialing, Reconnect::Force) => {}
            (_, Reconnect::ByKind | Reconnect::Never) => self.cancel(id),
        }
        self.pump(now);
        Ok(())
    }

    /// Dials a waiting request as if its refused attempts had not been made.
    ///
    /// A wait that was not caused by a refusal remains.
    pub(in crate::connmgr) fn reconsider(
        &mut self,
        id: ReqId,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        let entry = known(id, self.entries.get_mut(&id))?;
        if let Phase::Waiting { until, failed } = entry.phase {
            entry.failures = entry.failures.saturating_sub(entry.unwanted);
            entry.unwanted = 0;
            match entry.due.filter(|due| *due > now) {
                Some(due) => {
                    let until = until.min(due);
                    self.set_phase(id, Phase::Waiting { until, failed });
                }
                None => self.enqueue(id),
            }
        }
        self.pump(now);
        Ok(())
    }

    /// Dials requests that wait after a failure, and counts the network as up.
    ///
    /// But no request is dialled before the minimum of its backoff has passed since its last dial.
    pub(in crate::connmgr) fn network_changed(&mut self, now: Instant) {
        self.revived = Some(now);
        self.pacing.revive();
        let failing = |entry: &Entry<A>| match (entry.kind, entry.phase) {
            (
                Kind::Permanent(retry),
                Phase::Waiting {
                    until,
                    failed: true,
                },
            ) => {
                let last = entry.last_dial.unwrap_or(now);
                Some(until.min(after(last, retry.backoff().longest(0))))
            }
            _ => None,
        };
        let due = self.entries.iter();
        let mut due: Vec<_> = due
            .filter_map(|(&id, entry)| Some((failing(entry)?, id)))
            .collect();
        due.sort_unstable();
        for (until, id) in due {
            if until > now {
                self.set_phase(
                    id,
                    Phase::Waiting {
                        until,
                        failed: true,
                    },
                );
            } else {
                self.enqueue(id);
            }
        }
        self.pump(now);
    }

    /// Ends a request for good, in whatever phase it is.
    pub(in crate::connmgr) fn remove(
        &mut self,
        id: ReqId,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        let entry = known(id, self.entries.get(&id))?;
        if entry.is_connected() {
            self.close(id, CloseReason::Removed);
        } else {
            self.cancel(id);
        }
        self.pump(now);
        Ok(())
    }

    /// Returns the request that leads to this address, or the connection accepted from it.
    pub(in crate::connmgr) fn find(&self, addr: &A) -> Result<ReqId, ManagerError> {
        self.check_running()?;
        let inbound = || self.inbound_addrs.get(addr).copied();
        let found = self.claims.by_addr(addr).or_else(inbound);
        found.ok_or(ManagerError::UnknownAddress)
    }

    /// Changes the number of automatic connections to hold.
    ///
    /// Excess attempts are cancelled. Excess connections stay until they end.
    pub(in crate::connmgr) fn set_target(
        &mut self,
        target: usize,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        self.pacing.target = target;
        let surplus = self.automatic.len().saturating_sub(target);
        let entries = &self.entries;
        let unconnected = |id: &&ReqId| entries.get(id).is_some_and(|entry| !entry.is_connected());
        let newest = self.automatic.iter().rev().filter(unconnected);
        for id in newest.take(surplus).copied().collect::<Vec<_>>() {
            self.cancel(id);
        }
        self.pump(now);
        Ok(())
    }

    /// Changes the limit on dials in flight, and the rate of automatic dials.
    ///
    /// Dials in flight continue.
    pub(in crate::connmgr) fn set_dial_limits(
        &mut self,
        max_dials: usize,
        rate: Rate,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        self.config = self.config.with_max_dials(max_dials.max(1));
        self.pacing.set_rate(rate, now);
        self.pump(now);
        Ok(())
    }

    /// Changes the address of a permanent request.
    ///
    /// A dial of the old address, or a wait before the next dial, is cancelled; a connection stays.
    pub(in crate::connmgr) fn set_addr(
        &mut self,
        id: ReqId,
        candidate: Candidate<A>,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        let filter = &self.filter;
        let entry = known(id, self.entries.get_mut(&id))?;
        if !matches!(entry.kind, Kind::Permanent(_)) {
            return Err(ManagerError::NotPermanent(id));
        }
        if entry.candidate == candidate {
            return Ok(());
        }
        match filter.dial(&candidate) {
            Err(refusal) if refusal.is_lasting() => return Err(ManagerError::Refused(refusal)),
            _ => {}
        }
        self.claims
            .swap(&mut entry.claim, &candidate, id)
            .map_err(|taken| ManagerError::AlreadyManaged(holder(taken, id)))?;
        entry.candidate = candidate;
        if !entry.is_connected() {
            (entry.failures, entry.unwanted) = (0, 0);
            (entry.due, entry.last_dial) = (None, None);
            if entry.phase == Phase::Dialing {
                self.actions.push_back(Action::CancelDial { id });
            }
            self.enqueue(id);
        }
        self.pump(now);
        Ok(())
    }

    /// Makes a request permanent, or changes its policy for future waits.
    pub(in crate::connmgr) fn set_permanent(
        &mut self,
        id: ReqId,
        retry: RetryPolicy,
        now: Instant,
    ) -> Result<(), ManagerError> {
        self.check_running()?;
        let entry = known(id, self.entries.get_mut(&id))?;
        if entry.kind == Kind::Inbound {
            return Err(ManagerError::Inbound(id));
        }
        let connected = entry.is_connected();
        *counter(&mut self.counts, entry.kind, connected) -= 1;
        entry.kind = Kind::Permanent(retry);
        *counter(&mut self.counts, entry.kind, connected) += 1;
        self.automatic.remove(&id);
        if let Phase::Queued { place } = entry.phase
            && self.automatic_queue.remove(&place).is_some()
        {
            self.queue.insert(place, id);
        }
        self.pump(now);
        Ok(())
    }

    pub(in crate::connmgr) fn get(
        &self,
        id: ReqId,
        now: Instant,
    ) -> Result<RequestInfo<A>, ManagerError> {
        known(id, self.entries.get(&id)).map(|entry| entry.info(id, now))
    }

    /// Returns the address of a request.
    pub(in crate::connmgr) fn addr(&self, id: ReqId) -> Option<&A> {
        Some(self.entries.get(&id)?.candidate.addr())
    }

    /// Returns all requests, in the order of their ids.
    pub(in crate::connmgr) fn list(&self, now: Instant) -> Vec<RequestInfo<A>> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .map(|(&id, entry)| entry.info(id, now))
            .collect();
        all.sort_unstable_by_key(|info| info.id);
        all
    }

    pub(in crate::connmgr) fn counts(&self) -> Counts {
        Counts {
            offline: self.pacing.is_offline(self.counts.any_connected()),
            ..self.counts
        }
    }

    /// Cancels unconnected requests, and asks the owners of open connections to end them.
    pub(in crate::connmgr) fn stop(&mut self) {
        self.stopping = true;
        self.pace_at = None;
        let mut ids: Vec<_> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if self
                .entries
                .get(&id)
                .is_some_and(|entry| !entry.is_connected())
            {
                self.cancel(id);
            } else {
                self.actions.push_back(Action::Close { id });
            }
        }
    }

    /// Forgets connections that their owners have not ended.
    pub(in crate::connmgr) fn close_all(&mut self) {
        let mut ids: Vec<_> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.close(id, CloseReason::Shutdown);
        }
    }

    fn check_running(&self) -> Result<(), ManagerError> {
        if self.stopping {
            Err(ManagerError::Stopped)
        } else {
            Ok(())
        }
    }
}

fn known<E>(id: ReqId, entry: Option<E>) -> Result<E, ManagerError> {
    entry.ok_or(ManagerError::UnknownId(id))
}

/// Returns the request that holds the claim. A claim for an explicit request fails only because
/// another request holds the address or node, so the other causes do not occur.
fn holder(taken: Taken, id: ReqId) -> ReqId {
    match taken {
        Taken::By(holder) => holder,
        Taken::Group | Taken::Recent => id,
    }
}

//! Running lookups, including those that refresh the table.

use rand::Rng;

use super::query::Want;
use super::{Event, LookupDone, Machine, Now, PINGS, RequestId, Timer};
use crate::discv4::contact::Contact;
use crate::discv4::error::Discv4Error;
use crate::discv4::lookup::{Lookup, NEAREST};
use crate::keccak::keccak256;
use crate::node::{NodeId, PublicKey};
use crate::time::after;
use std::time::Duration;

/// Maximum number of callers' lookups in progress.
const LOOKUPS: usize = 16;

/// Interval at which the seeds are pinged again while the table is empty.
const RETRY: Duration = Duration::from_secs(10);

/// A lookup in progress; `request` is `None` if the lookup refreshes the table.
#[derive(Debug)]
pub(super) struct Running {
    lookup: Lookup,
    target: [u8; PublicKey::LENGTH],
    request: Option<u64>,
}

impl Machine {
    /// Looks up the nodes nearest to the hash of `target`.
    ///
    /// [`Event::LookupDone`] reports the result.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if 16 lookups are in progress.
    pub fn lookup(
        &mut self,
        target: [u8; PublicKey::LENGTH],
        now: Now,
    ) -> Result<RequestId, Discv4Error> {
        let of_callers = |running: &&Running| running.request.is_some();
        if self.lookups.values().filter(of_callers).count() >= LOOKUPS {
            return Err(Discv4Error::Busy { limit: LOOKUPS });
        }
        let request = self.next_id();
        self.start_lookup(target, Some(request), now);
        Ok(RequestId(request))
    }

    /// Looks up the nodes nearest to a random target.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if 16 lookups are in progress.
    pub fn random_lookup(&mut self, now: Now) -> Result<RequestId, Discv4Error> {
        let target = self.random_target();
        self.lookup(target, now)
    }

    fn random_target(&mut self) -> [u8; PublicKey::LENGTH] {
        let mut target = [0; PublicKey::LENGTH];
        self.rng.fill_bytes(&mut target);
        target
    }

    fn start_lookup(&mut self, target: [u8; PublicKey::LENGTH], request: Option<u64>, now: Now) {
        let id = NodeId::from_bytes(keccak256(&[&target]));
        let known = self.table.nearest(&id, NEAREST, |_| true);
        let lookup = self.next_id();
        self.lookups.insert(
            lookup,
            Running {
                lookup: Lookup::new(self.own, id, &known),
                target,
                request,
            },
        );
        self.step(lookup, now);
    }

    pub(super) fn lookup_answered(
        &mut self,
        lookup: u64,
        by: &Contact,
        nodes: Option<&[Contact]>,
        now: Now,
    ) {
        if let Some(running) = self.lookups.get_mut(&lookup) {
            running.lookup.answered(&by.node_id(), nodes);
            self.step(lookup, now);
        }
    }

    /// Asks the next nodes of a lookup, or ends it if no nodes are left.
    fn step(&mut self, id: u64, now: Now) {
        while let Some(running) = self.lookups.get_mut(&id) {
            let target = running.target;
            let Some(contact) = running.lookup.next() else {
                break;
            };
            self.query(contact, Want::Nodes { lookup: id, target }, now);
        }
        let done = self
            .lookups
            .get(&id)
            .is_some_and(|running| running.lookup.is_done());
        let Some(running) = done.then(|| self.lookups.remove(&id)).flatten() else {
            return;
        };
        if let Some(request) = running.request {
            let done = LookupDone {
                nodes: running.lookup.nearest(),
                rounds: running.lookup.rounds(),
            };
            self.events
                .push_back(Event::LookupDone(RequestId(request), done));
        }
    }

    /// Refreshes the table by lookups, or pings the seeds if the table is empty.
    pub(super) fn refresh(&mut self, now: Now) {
        let every = self.config.refresh_every();
        let empty = self.table.is_empty();
        let next = if empty && !self.seeds.is_empty() {
            every.min(RETRY)
        } else {
            every
        };
        self.timers.insert((after(now.at, next), Timer::Refresh));
        if empty {
            for seed in self.seeds.clone() {
                self.ping(seed, PINGS, now);
            }
            return;
        }
        // Usually the last refresh has ended long ago. If it is still running, a new one is not
        // urgent.
        if self
            .lookups
            .values()
            .any(|running| running.request.is_none())
        {
            return;
        }
        let own = self.key.public_key().to_bytes();
        self.start_lookup(own, None, now);
        for _ in 0..self.config.random_lookups() {
            let target = self.random_target();
            self.start_lookup(target, None, now);
        }
    }

    /// Returns whether this is the first seed that answered, and records that a seed answered.
    pub(super) fn is_first_seed(&mut self, id: &NodeId) -> bool {
        let first = !self.joined && self.seeds.iter().any(|seed| seed.node_id() == *id);
        self.joined |= first;
        first
    }

    /// Makes the next refresh of the table due now.
    pub(super) fn hurry_refresh(&mut self, now: Now) {
        self.timers.retain(|(_, timer)| *timer != Timer::Refresh);
        self.timers.insert((now.at, Timer::Refresh));
    }
}

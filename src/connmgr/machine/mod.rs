//! The decisions of a connection manager, without sockets, tasks or clocks.
//!
//! The inputs are commands and outcomes, the outputs [`Action`]s. Time is an argument, and the
//! machine owns the generator from which it draws waits. After each call the driver takes the
//! actions with `poll_action`, in order. The driver calls `advance` at the deadline that
//! `next_deadline` returns.

mod action;
mod commands;
mod entry;
#[cfg(test)]
mod model;
mod outcomes;
mod pacing;
mod pump;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::time::Instant;

use super::claims::{Claim, Claims};
use super::config::ConnConfig;
use super::error::CloseReason;
use super::filter::{DialFilter, Filter};
use super::request::{Address, Candidate, ConnState, Counts, Kind, ReqId};
use crate::time::after;
pub(super) use action::{Action, Opening};
use entry::{Entry, Phase, counter};
use pacing::Pacing;

/// For this many waiting requests, one millisecond of delay is added; see `next_deadline`.
const WAITING_PER_MILLI: u64 = 20;

/// The maximum delay of a request due to batching.
const LATEST: Duration = Duration::from_millis(500);

/// All requests and their next steps.
///
/// Each input takes at most logarithmic time in the number of requests, except `list`,
/// `network_changed`, `set_target`, `stop` and `close_all`.
pub(super) struct Machine<A: Address> {
    config: ConnConfig,
    filter: Arc<dyn Filter<A>>,
    claims: Claims<A>,
    /// Boxed, since a hash table has up to twice as many places as entries.
    entries: HashMap<ReqId, Box<Entry<A>>>,
    inbound_addrs: HashMap<A, ReqId>,
    automatic: BTreeSet<ReqId>,
    timers: BTreeSet<(Instant, ReqId)>,
    /// Permanent and one-shot requests that wait for a dial slot, by queue position.
    queue: BTreeMap<u64, ReqId>,
    /// Automatic requests that wait for a dial slot. They take turns with those in `queue`.
    automatic_queue: BTreeMap<u64, ReqId>,
    automatic_turn: bool,
    counts: Counts,
    pacing: Pacing,
    /// When to check again whether an automatic dial may start.
    pace_at: Option<Instant>,
    has_source: bool,
    rng: StdRng,
    paused: bool,
    /// When failed requests were last retried early, because the network might have changed.
    revived: Option<Instant>,
    /// Number of requests that the filter refused since the last `set_paused`.
    refusals: usize,
    stopping: bool,
    last_id: u64,
    last_place: u64,
    actions: VecDeque<Action<A>>,
}

impl<A: Address> Machine<A> {
    pub(super) fn new(
        config: ConnConfig,
        filter: Arc<dyn Filter<A>>,
        has_source: bool,
        rng: StdRng,
        now: Instant,
    ) -> Self {
        Self {
            claims: Claims::new(config.redial_gap()),
            pacing: Pacing::new(&config, now),
            config,
            filter,
            entries: HashMap::new(),
            inbound_addrs: HashMap::new(),
            automatic: BTreeSet::new(),
            timers: BTreeSet::new(),
            queue: BTreeMap::new(),
            automatic_queue: BTreeMap::new(),
            automatic_turn: false,
            counts: Counts::default(),
            pace_at: None,
            has_source,
            rng,
            paused: false,
            revived: None,
            refusals: 0,
            stopping: false,
            last_id: 0,
            last_place: 0,
            actions: VecDeque::new(),
        }
    }

    /// Returns the next action.
    pub(super) fn poll_action(&mut self) -> Option<Action<A>> {
        self.actions.pop_front()
    }

    /// Returns when to call `advance`.
    ///
    /// Many waiting requests are batched with a short delay, because waking up costs more than a
    /// dial.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let late = Duration::from_millis(self.timers.len() as u64 / WAITING_PER_MILLI);
        let timer = self
            .timers
            .first()
            .map(|&(time, _)| after(time, late.min(LATEST)));
        let forgetting = self.pacing.asking.then(|| self.claims.next_forgotten());
        [timer, self.pace_at, forgetting.flatten()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns the filter for the address source.
    pub(super) fn dial_filter(&self) -> DialFilter<Candidate<A>> {
        let (claims, filter) = (self.claims.clone(), Arc::clone(&self.filter));
        DialFilter::new(move |candidate| {
            claims.allow_automatic(candidate) && filter.dial(candidate).is_ok()
        })
    }

    /// Returns whether a stopped machine has nothing left to wait for.
    pub(super) fn is_drained(&self) -> bool {
        self.stopping && self.entries.is_empty() && self.counts.dialing == 0
    }

    fn fresh_id(&mut self) -> ReqId {
        self.last_id = self.last_id.saturating_add(1);
        ReqId(NonZeroU64::new(self.last_id).unwrap_or(NonZeroU64::MIN))
    }

    fn insert(
        &mut self,
        id: ReqId,
        kind: Kind,
        candidate: Candidate<A>,
        claim: Option<Claim<A>>,
        phase: Phase,
    ) {
        if kind == Kind::Automatic {
            self.automatic.insert(id);
        }
        let entry = Entry {
            kind,
            candidate,
            phase,
            generation: 0,
            failures: 0,
            unwanted: 0,
            due: None,
            last_dial: None,
            claim,
        };
        *counter(&mut self.counts, kind, entry.is_connected()) += 1;
        self.actions.push_back(Action::State {
            id,
            state: entry.state(),
        });
        self.entries.insert(id, Box::new(entry));
    }

    /// Appends a request to its queue.
    fn enqueue(&mut self, id: ReqId) {
        self.last_place += 1;
        let place = self.last_place;
        self.set_phase(id, Phase::Queued { place });
    }

    /// Changes the phase of a request.
    ///
    /// Every change of phase is made in this function, which keeps queues, timers and counters
    /// consistent.
    fn set_phase(&mut self, id: ReqId, phase: Phase) {
        self.unschedule(id);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        *counter(&mut self.counts, entry.kind, entry.is_connected()) -= 1;
        entry.phase = phase;
        *counter(&mut self.counts, entry.kind, entry.is_connected()) += 1;
        match phase {
            Phase::Queued { place } if entry.kind == Kind::Automatic => {
                self.automatic_queue.insert(place, id);
            }
            Phase::Queued { place } => {
                self.queue.insert(place, id);
            }
            Phase::Waiting { until, .. } => {
                self.timers.insert((until, id));
            }
            Phase::Dialing | Phase::Connected { .. } => {}
        }
        let state = entry.state();
        self.actions.push_back(Action::State { id, state });
    }

    /// Removes a request from its queue and the timers.
    fn unschedule(&mut self, id: ReqId) {
        match self.entries.get(&id).map(|entry| entry.phase) {
            Some(Phase::Queued { place }) => {
                self.queue.remove(&place);
                self.automatic_queue.remove(&place);
            }
            Some(Phase::Waiting { until, .. }) => {
                self.timers.remove(&(until, id));
            }
            _ => {}
        }
    }

    /// Forgets a request, which releases its claim.
    fn finish(&mut self, id: ReqId, state: ConnState) {
        debug_assert!(state.is_terminal());
        self.unschedule(id);
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        *counter(&mut self.counts, entry.kind, entry.is_connected()) -= 1;
        self.automatic.remove(&id);
        let addr = entry.candidate.addr();
        if entry.kind == Kind::Inbound && self.inbound_addrs.get(addr) == Some(&id) {
            self.inbound_addrs.remove(addr);
        }
        self.actions.push_back(Action::State { id, state });
    }

    /// Ends a request that has no connection.
    fn cancel(&mut self, id: ReqId) {
        if let Some(Phase::Dialing) = self.entries.get(&id).map(|entry| entry.phase) {
            self.actions.push_back(Action::CancelDial { id });
        }
        self.finish(id, ConnState::Canceled);
    }

    /// Closes a connection for good, without waiting for its owner.
    fn close(&mut self, id: ReqId, reason: CloseReason) {
        self.actions.push_back(Action::Close { id });
        let entry = self.entries.get(&id);
        self.actions.push_back(Action::Closed {
            id,
            key: entry.and_then(|entry| entry.candidate.key().cloned()),
            reason: reason.clone(),
        });
        self.finish(id, ConnState::Disconnected(reason));
    }
}

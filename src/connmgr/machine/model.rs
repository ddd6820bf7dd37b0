//! Random commands and outcomes against the table of states and transitions.
//!
//! For each request the model keeps only the kind and one of three places, into which it groups the
//! table's states. The manager's invariants must hold after each step.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::connmgr::RetryPolicy;
use crate::connmgr::error::{CloseReason, ConnectError, ManagerError, Refusal};
use crate::connmgr::filter::AllowAll;
use crate::connmgr::request::Reconnect;

const MAX_DIALS: usize = 3;
const MAX_REQUESTS: usize = 6;
const CAP: Duration = Duration::from_secs(300);

/// A step. Numbers are indices into the existing requests, dials or connections.
#[derive(Debug, Clone, Copy)]
enum Step {
    Connect { addr: u8, permanent: bool },
    Disconnect(usize, Reconnect),
    Reconsider(usize),
    Remove(usize),
    SetTarget(usize),
    SetAddr(usize, u8),
    SetPermanent(usize),
    Sourced(Option<u8>),
    Dialed(usize, bool),
    Accepted(u8),
    Ready(usize),
    Dropped(usize, Reconnect),
    Pass(u64),
    Pause(bool),
    Stop,
    CloseAll,
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..12usize;
    let addr = 0..10u8;
    let reconnect = prop_oneof![
        Just(Reconnect::ByKind),
        Just(Reconnect::Force),
        Just(Reconnect::Never)
    ];
    prop_oneof![
        6 => (addr.clone(), any::<bool>())
            .prop_map(|(addr, permanent)| Step::Connect { addr, permanent }),
        3 => (which.clone(), reconnect.clone()).prop_map(|(n, how)| Step::Disconnect(n, how)),
        2 => which.clone().prop_map(Step::Reconsider),
        2 => which.clone().prop_map(Step::Remove),
        1 => (0..4usize).prop_map(Step::SetTarget),
        2 => (which.clone(), addr.clone()).prop_map(|(n, addr)| Step::SetAddr(n, addr)),
        1 => which.clone().prop_map(Step::SetPermanent),
        6 => proptest::option::weighted(0.9, addr.clone()).prop_map(Step::Sourced),
        10 => (which.clone(), any::<bool>()).prop_map(|(n, ok)| Step::Dialed(n, ok)),
        2 => addr.prop_map(Step::Accepted),
        2 => which.clone().prop_map(Step::Ready),
        4 => (which, reconnect).prop_map(|(n, how)| Step::Dropped(n, how)),
        5 => (0..400u64).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => prop_oneof![9 => Just(Step::Pass(1)), 1 => Just(Step::Stop)],
        1 => prop_oneof![9 => Just(Step::Pass(1)), 1 => Just(Step::CloseAll)],
    ]
}

/// The place of a request in the table: without a connection, with one, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Pending,
    Active,
    Over,
}

#[derive(Debug, Clone)]
struct Seen {
    kind: Kind,
    place: Place,
    /// How many connections were announced, and how many have ended.
    opened: u32,
    closed: u32,
}

struct Model {
    machine: Machine<u8>,
    now: Instant,
    seen: HashMap<ReqId, Seen>,
    /// Dials that have not been answered.
    dials: Vec<(ReqId, u32)>,
    /// The connections that owners hold, with their generations.
    held: Vec<(ReqId, u32)>,
    target: usize,
    /// Number of automatic requests after the last step.
    automatic: usize,
    asked: bool,
    stopped: bool,
    last_id: u64,
}

impl Model {
    fn new() -> Self {
        let now = Instant::now();
        let config = ConnConfig::default()
            .with_target(2)
            .with_max_dials(MAX_DIALS)
            .with_max_requests(MAX_REQUESTS)
            .with_offline_after(4);
        let mut model = Self {
            machine: Machine::new(
                config,
                Arc::new(AllowAll),
                true,
                StdRng::seed_from_u64(3),
                now,
            ),
            now,
            seen: HashMap::new(),
            dials: Vec::new(),
            held: Vec::new(),
            target: 2,
            automatic: 0,
            asked: false,
            stopped: false,
            last_id: 0,
        };
        model.machine.advance(now);
        model.settle();
        model
    }

    fn pick(&self, number: usize) -> Option<ReqId> {
        let mut ids: Vec<_> = self.seen.keys().copied().collect();
        ids.sort_unstable();
        ids.get(number.checked_rem(ids.len())?).copied()
    }

    fn place(&self, id: ReqId) -> Place {
        self.seen.get(&id).map_or(Place::Over, |seen| seen.place)
    }

    /// Returns the answer of each command for `id`, apart from errors of that command alone.
    fn expected(&self, id: ReqId) -> Result<(), ManagerError> {
        if self.stopped {
            Err(ManagerError::Stopped)
        } else if self.place(id) == Place::Over {
            Err(ManagerError::UnknownId(id))
        } else {
            Ok(())
        }
    }

    /// Notes a new request. Ids must grow, and none may be assigned after a stop.
    fn note_new(&mut self, id: ReqId, kind: Kind, place: Place) {
        assert!(id.get() > self.last_id && !self.stopped);
        self.last_id = id.get();
        let opened = u32::from(place == Place::Active);
        self.seen.insert(
            id,
            Seen {
                kind,
                place,
                opened,
                closed: 0,
            },
        );
    }

    fn take(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Connect { addr, permanent } => self.connect(addr, permanent),
            Step::Disconnect(number, reconnect) => self.disconnect(number, reconnect),
            Step::Reconsider(number) => {
                let Some(id) = self.pick(number) else { return };
                let expected = self.expected(id);
                let done = self.machine.reconsider(id, now);
                assert_eq!(done, expected);
            }
            Step::Remove(number) => {
                let Some(id) = self.pick(number) else { return };
                let expected = self.expected(id);
                let removed = self.machine.remove(id, now);
                assert_eq!(removed, expected);
                if removed.is_ok() {
                    self.settle();
                    assert_eq!(self.place(id), Place::Over);
                }
            }
            Step::SetTarget(target) => {
                let set = self.machine.set_target(target, now);
                assert_eq!(set.is_ok(), !self.stopped);
                if set.is_ok() {
                    self.target = target;
                }
            }
            Step::SetAddr(number, addr) => {
                let Some(id) = self.pick(number) else { return };
                let expected = self.expected(id);
                let moved = self.machine.set_addr(id, Candidate::new(addr), now);
                let kind = self.seen.get(&id).map(|seen| seen.kind);
                match moved {
                    Ok(()) => assert_eq!(expected, Ok(())),
                    Err(ManagerError::NotPermanent(_)) => {
                        assert!(!matches!(kind, Some(Kind::Permanent(_))));
                    }
                    Err(ManagerError::AlreadyManaged(other)) => {
                        assert!(other != id && self.place(other) != Place::Over);
                    }
                    Err(_) => assert_eq!(moved, expected),
                }
            }
            Step::SetPermanent(number) => {
                let Some(id) = self.pick(number) else { return };
                let policy = RetryPolicy::default();
                let changed = self.machine.set_permanent(id, policy, now);
                if changed.is_ok() {
                    let seen = self.seen.get_mut(&id).expect("known");
                    assert_ne!(seen.kind, Kind::Inbound);
                    seen.kind = Kind::Permanent(policy);
                }
            }
            Step::Sourced(addr) => {
                if self.asked {
                    self.asked = false;
                    self.machine.sourced(addr.map(Candidate::new), now);
                }
            }
            Step::Dialed(number, ok) => self.dialed(number, ok),
            Step::Accepted(addr) => {
                if !self.stopped {
                    let opening = self.machine.accepted(100 + addr, now).expect("no filter");
                    self.held.push((opening.id, opening.generation));
                    self.note_new(opening.id, Kind::Inbound, Place::Active);
                }
            }
            Step::Ready(number) => {
                if let Some(&(id, generation)) = self.held.get(number) {
                    self.machine.ready(id, generation);
                }
            }
            Step::Dropped(number, reconnect) => self.dropped(number, reconnect),
            Step::Pass(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.machine.advance(self.now);
            }
            Step::Pause(paused) => {
                self.machine.set_paused(paused, now);
            }
            Step::Stop => {
                if !self.stopped {
                    self.stopped = true;
                    self.machine.stop();
                }
            }
            Step::CloseAll => {
                if self.stopped {
                    self.machine.close_all();
                }
            }
        }
    }

    /// Makes a request, and checks that a refusal has a valid reason.
    fn connect(&mut self, addr: u8, permanent: bool) {
        let retry = permanent.then(RetryPolicy::default);
        let candidate = Candidate::new(addr);
        let made = self.machine.connect(candidate, retry, self.now);
        match made {
            Ok(id) => {
                let kind = retry.map_or(Kind::OneShot, Kind::Permanent);
                self.note_new(id, kind, Place::Pending);
            }
            Err(ManagerError::AlreadyManaged(id)) => assert_ne!(self.place(id), Place::Over),
            Err(ManagerError::LimitReached { limit }) => assert_eq!(limit, MAX_REQUESTS),
            Err(ManagerError::Stopped) => assert!(self.stopped),
            Err(error) => panic!("{error}"),
        }
    }

    /// Disconnects a request. Its kind and `reconnect` decide whether it is dialled again.
    fn disconnect(&mut self, number: usize, reconnect: Reconnect) {
        let Some(id) = self.pick(number) else { return };
        let (before, expected) = (self.seen[&id].clone(), self.expected(id));
        let now = self.now;
        let done = self.machine.disconnect(id, reconnect, now);
        self.settle();
        if done == Err(ManagerError::Inbound(id)) {
            assert_eq!((before.kind, reconnect), (Kind::Inbound, Reconnect::Force));
            return;
        }
        assert_eq!(done, expected);
        if done.is_ok() {
            let again = match (before.place, reconnect) {
                (_, Reconnect::Never) => false,
                (_, Reconnect::Force) => true,
                (Place::Pending | Place::Over, Reconnect::ByKind) => false,
                (Place::Active, Reconnect::ByKind) => matches!(before.kind, Kind::Permanent(_)),
            };
            let after = if again { Place::Pending } else { Place::Over };
            assert_eq!(self.place(id), after);
        }
    }

    /// Answers a dial. A dial for which no request waits must not be announced.
    fn dialed(&mut self, number: usize, ok: bool) {
        if self.dials.is_empty() {
            return;
        }
        let (id, generation) = self.dials.remove(number % self.dials.len());
        let wanted = self.machine.entries.get(&id);
        let wanted = wanted
            .is_some_and(|entry| entry.phase == Phase::Dialing && entry.generation == generation);
        let result = match (ok, number % 2) {
            (true, _) => Ok(()),
            (false, 0) => Err(ConnectError::Refused),
            (false, _) => Err(ConnectError::Unwanted(Refusal::AlreadyConnected)),
        };
        let now = self.now;
        let opening = self.machine.dial_done(id, generation, result, now);
        assert_eq!(opening.is_some(), ok && wanted);
        if opening.is_some() {
            self.held.push((id, generation));
            let seen = self.seen.get_mut(&id).expect("known");
            assert_eq!(seen.place, Place::Pending);
            seen.place = Place::Active;
            seen.opened += 1;
        }
        self.settle();
        let permanent = matches!(self.seen[&id].kind, Kind::Permanent(_));
        if wanted && !ok {
            let after = if permanent {
                Place::Pending
            } else {
                Place::Over
            };
            assert_eq!(self.place(id), after);
        }
    }

    fn dropped(&mut self, number: usize, reconnect: Reconnect) {
        if number < self.held.len() {
            let (id, generation) = self.held.remove(number);
            let current = self.machine.entries.get(&id);
            let current =
                current.is_some_and(|entry| entry.generation == generation && entry.is_connected());
            let before = self.seen[&id].clone();
            let reason = CloseReason::Dropped;
            let now = self.now;
            self.machine.dropped(id, generation, reason, reconnect, now);
            self.settle();
            // The drop of a connection that has already been closed is ignored.
            let ends = u32::from(current);
            assert_eq!(self.seen[&id].closed, before.closed + ends);
            let again = match (before.kind, reconnect) {
                _ if self.stopped => false,
                (Kind::Inbound, _) | (_, Reconnect::Never) => false,
                (kind, how) => how == Reconnect::Force || matches!(kind, Kind::Permanent(_)),
            };
            if current {
                let after = if again { Place::Pending } else { Place::Over };
                assert_eq!(self.place(id), after);
            }
        }
    }

    /// Takes the machine's actions and checks that each is allowed at its request's place.
    fn settle(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Ask => {
                    assert!(!self.asked && !self.stopped);
                    self.asked = true;
                }
                Action::Dial { id, generation, .. } => {
                    assert!(!self.stopped, "a dial after the stop");
                    assert_eq!(self.place(id), Place::Pending);
                    self.dials.push((id, generation));
                }
                Action::CancelDial { id } => {
                    assert!(self.dials.iter().any(|&(dialed, _)| dialed == id));
                }
                Action::Close { id } => {
                    assert_eq!(self.place(id), Place::Active);
                }
                Action::Closed { id, .. } => {
                    let seen = self.seen.get_mut(&id).expect("known");
                    assert_eq!(seen.place, Place::Active);
                    seen.closed += 1;
                    // Each connection ends once.
                    assert_eq!(seen.closed, seen.opened);
                    seen.place = Place::Pending;
                }
                Action::DialFailed { id, retry_in, .. } => {
                    assert_eq!(self.place(id), Place::Pending);
                    assert!(
                        retry_in.is_none_or(|wait| wait <= CAP),
                        "a wait above the cap"
                    );
                }
                Action::State { id, state } => self.note_state(id, &state),
            }
        }
    }

    fn note_state(&mut self, id: ReqId, state: &ConnState) {
        if !self.seen.contains_key(&id) {
            // Only automatic requests are created without a command.
            assert!(self.machine.automatic.contains(&id) || state.is_terminal());
            self.note_new(id, Kind::Automatic, Place::Pending);
        }
        let seen = self.seen.get_mut(&id).expect("known");
        assert_ne!(seen.place, Place::Over, "nothing follows a terminal state");
        if state.is_terminal() {
            seen.place = Place::Over;
        }
    }

    fn check(&mut self) {
        let machine = &self.machine;
        for (id, seen) in &self.seen {
            // The reported state must match the place, and a request must be connected exactly
            // while a connection that was announced has not ended.
            let state = machine.get(*id, self.now).ok().map(|info| info.state);
            let place = match state {
                None => Place::Over,
                Some(state) if state.is_connected() => Place::Active,
                Some(_) => Place::Pending,
            };
            assert_eq!(place, seen.place, "{id}");
            assert_eq!(seen.opened - seen.closed, u32::from(place == Place::Active));
        }
        // Every dial counts until it is answered, and the limit on dials is respected.
        assert_eq!(machine.counts.dialing, self.dials.len());
        assert!(self.dials.len() <= MAX_DIALS);
        // A lowered target ends no connection, but no request is added beyond the target.
        let automatic = machine.automatic.len();
        assert!(automatic <= self.automatic || automatic <= self.target);
        self.automatic = automatic;
        self.check_tables();
    }

    /// Checks that queues, timers, claims and counters agree with the entries.
    fn check_tables(&self) {
        let machine = &self.machine;
        let mut counts = Counts {
            dialing: machine.counts.dialing,
            ..Counts::default()
        };
        let (mut queued, mut timed) = (0, 0);
        for (id, entry) in &machine.entries {
            *counter(&mut counts, entry.kind, entry.is_connected()) += 1;
            match entry.phase {
                Phase::Queued { .. } => queued += 1,
                Phase::Waiting { until, .. } => {
                    timed += 1;
                    assert!(machine.timers.contains(&(until, *id)));
                }
                _ => {}
            }
            let outbound = entry.kind != Kind::Inbound;
            assert_eq!(entry.claim.is_some(), outbound);
            if outbound {
                assert_eq!(machine.claims.by_addr(entry.candidate.addr()), Some(*id));
            }
        }
        assert_eq!(counts, machine.counts);
        assert_eq!(queued, machine.queue.len() + machine.automatic_queue.len());
        assert_eq!(timed, machine.timers.len());
        // Once all requests have ended and all dials have been answered, nothing is left.
        if machine.is_drained() {
            assert!(self.dials.is_empty());
            assert!(self.seen.values().all(|seen| seen.place == Place::Over));
        }
    }
}

proptest! {
    #[test]
    fn random_steps_follow_the_table(steps in proptest::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.settle();
            model.check();
        }
        // A stop ends everything as soon as the dials have been answered.
        model.take(Step::Stop);
        model.settle();
        model.take(Step::CloseAll);
        model.settle();
        while !model.dials.is_empty() {
            model.take(Step::Dialed(0, true));
        }
        model.check();
        prop_assert!(model.machine.is_drained());
    }
}

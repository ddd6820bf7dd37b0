use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::connmgr::error::{ConnectError, ManagerError, Refusal};
use crate::connmgr::filter::AllowAll;
use crate::connmgr::{Backoff, Family, Rate, Reconnect, RetryPolicy};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    machine: Machine<u32>,
    now: Instant,
}

impl Bench {
    fn new(config: ConnConfig, filter: impl Filter<u32>) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(
                config,
                Arc::new(filter),
                true,
                StdRng::seed_from_u64(1),
                now,
            ),
            now,
        }
    }

    fn connect(&mut self, addr: u32, retry: Option<RetryPolicy>) -> Result<ReqId, ManagerError> {
        let candidate = Candidate::new(addr);
        self.machine.connect(candidate, retry, self.now)
    }

    fn dials(&mut self) -> Vec<(ReqId, u32, u32)> {
        std::iter::from_fn(|| self.machine.poll_action())
            .filter_map(|action| match action {
                Action::Dial {
                    id,
                    generation,
                    addr,
                    ..
                } => Some((id, generation, addr)),
                _ => None,
            })
            .collect()
    }

    fn dialed(&mut self, dial: (ReqId, u32, u32), result: Result<(), ConnectError>) -> bool {
        let (id, generation, _) = dial;
        self.machine
            .dial_done(id, generation, result, self.now)
            .is_some()
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        self.machine.advance(self.now);
    }
}

fn explicit_only() -> ConnConfig {
    ConnConfig::default().with_target(0)
}

/// A timer left behind would keep the request in memory.
#[test]
fn nothing_is_left_of_a_removed_request() {
    let config = explicit_only().with_redial_gap(Duration::ZERO);
    let mut bench = Bench::new(config, AllowAll);
    let id = bench
        .connect(1, Some(RetryPolicy::default()))
        .expect("free");
    let dial = bench.dials()[0];
    bench.dialed(dial, Err(ConnectError::Refused));
    assert!(bench.machine.next_deadline().is_some());
    let removed = bench.machine.remove(id, bench.now);
    assert_eq!(removed, Ok(()));
    assert_eq!(bench.machine.next_deadline(), None);
    assert!(bench.machine.entries.is_empty() && bench.machine.queue.is_empty());
    assert_eq!(bench.machine.counts(), Counts::default());
}

#[test]
fn the_result_of_a_cancelled_dial_is_not_mistaken_for_the_next_result() {
    let mut bench = Bench::new(explicit_only(), AllowAll);
    let id = bench
        .connect(1, Some(RetryPolicy::default()))
        .expect("free");
    let old = bench.dials()[0];
    let moved = Candidate::new(2);
    let moved = bench.machine.set_addr(id, moved, bench.now);
    assert_eq!(moved, Ok(()));
    let new = bench.dials()[0];
    assert_eq!((old.2, new.2), (1, 2));
    assert!(!bench.dialed(old, Ok(())));
    assert!(bench.dialed(new, Ok(())));
    assert_eq!(bench.machine.counts().dialing, 0);
}

#[test]
fn dials_are_bounded_and_ten_thousand_requests_get_their_turn() {
    const REQUESTS: u32 = 10_000;
    let mut bench = Bench::new(explicit_only().with_max_dials(20), AllowAll);
    for addr in 0..REQUESTS {
        bench
            .connect(addr, Some(RetryPolicy::default()))
            .expect("free");
    }
    let mut order = Vec::new();
    loop {
        let dials = bench.dials();
        if dials.is_empty() {
            break;
        }
        for dial in dials {
            assert!(bench.machine.counts().dialing <= 20);
            order.push(dial.2);
            bench.dialed(dial, Err(ConnectError::Refused));
        }
    }
    assert_eq!(order, (0..REQUESTS).collect::<Vec<_>>());
    assert_eq!(bench.machine.timers.len(), REQUESTS as usize);
}

#[test]
fn explicit_and_automatic_requests_take_turns() {
    let config = ConnConfig::default().with_max_dials(1);
    let mut bench = Bench::new(config, AllowAll);
    for addr in 0..10 {
        bench.connect(addr, None).expect("free");
    }
    let mut order = Vec::new();
    for automatic in 100..104 {
        for _ in 0..2 {
            bench.now += SECOND;
            if bench.machine.pacing.asking {
                let found = Some(Candidate::new(automatic));
                bench.machine.sourced(found, bench.now);
            }
            let dial = bench.dials()[0];
            order.push(dial.2 >= 100);
            bench.dialed(dial, Err(ConnectError::Refused));
        }
    }
    assert!(
        order.windows(3).all(|turns| turns.contains(&true)),
        "{order:?}"
    );
    assert!(
        order.windows(3).all(|turns| turns.contains(&false)),
        "{order:?}"
    );
}

#[test]
fn the_redial_gap_applies_to_a_repeated_request() {
    let mut bench = Bench::new(explicit_only(), AllowAll);
    let policy = RetryPolicy::default().with_redial_gap(35 * SECOND);
    let first = bench.connect(1, Some(policy)).expect("free");
    assert_eq!(bench.dials().len(), 1);
    bench.advance(SECOND);
    let removed = bench.machine.remove(first, bench.now);
    assert_eq!(removed, Ok(()));
    bench.connect(1, Some(policy)).expect("free");
    assert!(bench.dials().is_empty());
    bench.advance(33 * SECOND);
    assert!(bench.dials().is_empty());
    bench.advance(SECOND);
    assert_eq!(bench.dials().len(), 1);
}

#[test]
fn forcing_a_waiting_request_dials_it_at_once() {
    let mut bench = Bench::new(explicit_only(), AllowAll);
    let id = bench
        .connect(1, Some(RetryPolicy::default()))
        .expect("free");
    let dial = bench.dials()[0];
    bench.dialed(dial, Err(ConnectError::Refused));
    let now = bench.now;
    let forced = bench.machine.disconnect(id, Reconnect::Force, now);
    assert_eq!(forced, Ok(()));
    assert_eq!(bench.dials().len(), 1);
}

#[test]
fn an_address_that_can_never_be_dialled_ends_even_a_permanent_request() {
    let mut bench = Bench::new(explicit_only(), AllowAll);
    let id = bench
        .connect(1, Some(RetryPolicy::default()))
        .expect("free");
    let dial = bench.dials()[0];
    let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
    bench.dialed(dial, Err(source.into()));
    let gone = bench.machine.get(id, bench.now).map(drop);
    assert_eq!(gone, Err(ManagerError::UnknownId(id)));
}

#[test]
fn many_waiting_requests_are_dialled_in_batches() {
    const REQUESTS: u32 = 10_000;
    let config = explicit_only().with_max_dials(REQUESTS as usize);
    let mut bench = Bench::new(config, AllowAll);
    for addr in 0..REQUESTS {
        let made = bench.connect(addr, Some(RetryPolicy::default()));
        made.expect("free");
    }
    for dial in bench.dials() {
        bench.dialed(dial, Err(ConnectError::Refused));
    }
    let (began, mut wakes, mut dials) = (bench.now, 0, 0);
    while let Some(next) = bench.machine.next_deadline() {
        let first = bench.machine.timers.first().expect("one waits").0;
        assert!(next - first <= Duration::from_millis(500));
        bench.advance(next - bench.now);
        dials += bench.dials().len();
        wakes += 1;
    }
    assert_eq!(dials, REQUESTS as usize);
    // The waits are spread over five seconds, and the last dials are not late.
    assert!(bench.now - began <= 10 * SECOND && wakes < 1000, "{wakes}");
}

/// A filter that refuses everything with this reason.
struct Closed(Refusal);

impl Filter<u32> for Closed {
    fn accept(&self, _: &u32) -> Result<(), Refusal> {
        Err(self.0)
    }

    fn dial(&self, _: &Candidate<u32>) -> Result<(), Refusal> {
        Err(self.0)
    }
}

#[test]
fn a_permanent_request_that_is_refused_for_now_waits() {
    let mut bench = Bench::new(explicit_only(), Closed(Refusal::AlreadyConnected));
    let policy = Some(RetryPolicy::default());
    let id = bench.connect(1, policy).expect("free");
    assert!(bench.dials().is_empty());
    let state = bench.machine.get(id, bench.now).expect("known").state;
    assert!(matches!(state, ConnState::Failing));
    let refused = ManagerError::Refused(Refusal::AlreadyConnected);
    assert_eq!(bench.connect(2, None), Err(refused));

    let mut bench = Bench::new(explicit_only(), Closed(Refusal::Banned));
    bench.connect(1, policy).expect("a ban may end");
    let refused = ManagerError::Refused(Refusal::Banned);
    assert_eq!(bench.connect(2, None), Err(refused));
    let accepted = bench.machine.accepted(1, bench.now);
    assert_eq!(accepted, Err(Refusal::Banned));

    let mut bench = Bench::new(explicit_only(), Closed(Refusal::Restricted));
    let refused = ManagerError::Refused(Refusal::Restricted);
    assert_eq!(bench.connect(1, policy), Err(refused));
}

#[test]
fn a_reconsidered_request_waits_only_for_its_last_real_attempt() {
    const GAP: Duration = Duration::from_secs(35);
    let mut bench = Bench::new(explicit_only(), AllowAll);
    let policy = RetryPolicy::default().with_redial_gap(GAP);
    let id = bench.connect(1, Some(policy)).expect("free");
    let unwanted = || Err(ConnectError::Unwanted(Refusal::AlreadyConnected));
    let reconsider = |bench: &mut Bench| {
        let now = bench.now;
        let done = bench.machine.reconsider(id, now);
        assert_eq!(done, Ok(()));
        bench.dials().pop()
    };
    let mut dial = bench.dials()[0];
    for _ in 0..5 {
        bench.dialed(dial, unwanted());
        dial = reconsider(&mut bench).expect("dialled at once");
    }
    // Refused attempts do not lengthen the wait after a failure.
    bench.dialed(dial, Err(ConnectError::Refused));
    assert_eq!(bench.machine.get(id, bench.now).expect("known").failures, 1);
    for _ in 0..GAP.as_secs() - 1 {
        bench.advance(SECOND);
        assert!(reconsider(&mut bench).is_none(), "dialled within the gap");
    }
    bench.advance(SECOND);
    dial = bench.dials().pop().expect("dialled after the gap");
    let long = bench.now + Duration::from_secs(1000);
    bench.dialed(dial, unwanted());
    assert!(
        reconsider(&mut bench).is_some(),
        "its last failure is long ago"
    );
    assert!(bench.machine.next_deadline().is_none_or(|next| next < long));
}

#[test]
fn refusals_per_round_are_bounded() {
    let config = explicit_only().with_max_dials(10);
    let mut bench = Bench::new(config, Closed(Refusal::AlreadyConnected));
    for addr in 0..100 {
        let made = bench.connect(addr, Some(RetryPolicy::default()));
        made.expect("free");
    }
    for round in 1..=10 {
        assert_eq!(bench.machine.timers.len(), round * 10);
        let more = bench.machine.next_deadline() == Some(bench.now);
        assert_eq!(more, round < 10);
        let now = bench.now;
        bench.machine.set_paused(false, now);
        bench.advance(Duration::ZERO);
    }
}

/// A deadline in the past would make the driver spin.
#[test]
fn no_deadline_is_left_in_the_past() {
    let mut bench = Bench::new(ConnConfig::default(), AllowAll);
    let policy = Some(RetryPolicy::default());
    bench.connect(1, policy).expect("free");
    let dial = bench.dials()[0];
    bench.dialed(dial, Err(ConnectError::Refused));
    assert!(bench.machine.pacing.asking);
    let now = bench.now;
    bench.machine.set_paused(true, now);
    for _ in 0..100 {
        bench.advance(SECOND);
        assert!(
            bench
                .machine
                .next_deadline()
                .is_none_or(|next| next > bench.now)
        );
    }
    let now = bench.now;
    bench.machine.set_paused(false, now);
    assert_eq!(bench.dials().len(), 1);
    bench.machine.stop();
    for _ in 0..100 {
        bench.advance(SECOND);
        assert!(
            bench
                .machine
                .next_deadline()
                .is_none_or(|next| next > bench.now)
        );
    }
}

/// Makes the source answer with `addr`, and makes the dial of this address fail.
fn fail_automatic(bench: &mut Bench, addr: u32, family: Family) {
    while !bench.machine.pacing.asking {
        bench.now = bench.machine.next_deadline().expect("asks again");
        bench.advance(Duration::ZERO);
    }
    let candidate = Candidate::new(addr).with_family(family);
    let now = bench.now;
    bench.machine.sourced(Some(candidate), now);
    let dial = bench.dials().pop().expect("dialled");
    bench.dialed(dial, Err(ConnectError::Timeout));
}

fn fast() -> ConnConfig {
    ConnConfig::default()
        .with_dial_rate(Rate::UNLIMITED)
        .with_offline_after(25)
}

#[test]
fn failures_of_one_family_do_not_count_for_the_other() {
    let mut bench = Bench::new(fast(), AllowAll);
    bench.advance(Duration::ZERO);
    fail_automatic(&mut bench, 1, Family::V4);
    for addr in 2..100 {
        fail_automatic(&mut bench, addr, Family::V6);
        assert!(!bench.machine.counts().offline, "{addr}");
    }
    for addr in 101..=124 {
        assert!(!bench.machine.counts().offline, "{addr}");
        fail_automatic(&mut bench, addr, Family::V4);
    }
    assert!(bench.machine.counts().offline, "both families have failed");
}

#[test]
fn a_node_with_a_connection_is_not_offline() {
    let mut bench = Bench::new(fast(), AllowAll);
    let accepted = bench.machine.accepted(1000, bench.now).expect("no filter");
    bench.advance(Duration::ZERO);
    for addr in 0..100 {
        fail_automatic(&mut bench, addr, Family::V4);
    }
    assert!(!bench.machine.counts().offline);
    let now = bench.now;
    let (dropped, by_kind) = (CloseReason::Dropped, Reconnect::ByKind);
    bench.machine.dropped(accepted.id, 0, dropped, by_kind, now);
    assert!(
        !bench.machine.counts().offline,
        "earlier failures prove nothing"
    );
}

#[test]
fn local_failures_do_not_make_the_network_count_as_down() {
    let mut bench = Bench::new(fast(), AllowAll);
    bench.advance(Duration::ZERO);
    for addr in 0..100 {
        assert!(bench.machine.pacing.asking, "{addr}");
        let now = bench.now;
        bench.machine.sourced(Some(Candidate::new(addr)), now);
        let dial = bench.dials().pop().expect("dialled");
        bench.dialed(dial, Err(ConnectError::NoRoute));
    }
    assert!(!bench.machine.counts().offline);
}

#[test]
fn a_sign_of_life_speeds_up_retries_but_strangers_cannot_repeat_it() {
    let long = Duration::from_secs(3600);
    // The first wait is between 5 s and 10 s; later waits are up to an hour.
    let policy = RetryPolicy::default().with_backoff(Backoff::new(5 * SECOND, long));
    let mut bench = Bench::new(explicit_only(), AllowAll);
    let id = bench.connect(1, Some(policy)).expect("free");
    for _ in 0..20 {
        let dial = bench.dials().pop().expect("its turn");
        bench.dialed(dial, Err(ConnectError::Timeout));
        let waits = bench.machine.get(id, bench.now).expect("known").next_dial;
        if waits.is_some_and(|wait| wait > long / 2) {
            break;
        }
        bench.now = bench.machine.next_deadline().expect("waits");
        bench.advance(Duration::ZERO);
    }
    let mut hurried = Vec::new();
    for second in 0..130 {
        bench.advance(SECOND);
        let now = bench.now;
        let stranger = bench.machine.accepted(1000, now).expect("no filter");
        let (dropped, by_kind) = (CloseReason::Dropped, Reconnect::ByKind);
        bench.machine.dropped(stranger.id, 0, dropped, by_kind, now);
        let dials = bench.dials();
        hurried.extend(dials.iter().map(|_| second));
        assert!(dials.len() < 2);
        for dial in dials {
            bench.dialed(dial, Err(ConnectError::Timeout));
        }
    }
    // The first dial starts at the end of the minimum wait, 5 s after the previous dial; then there
    // is one dial a minute.
    assert_eq!(hurried.len(), 3, "{hurried:?}");
    assert_eq!(hurried[0], 4, "{hurried:?}");
}

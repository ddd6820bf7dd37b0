//! One test for each weakness that was found in a widely used connection manager, btcd's: it
//! asserts the very thing that goes wrong there.
//!
//! 25 to 29 are about its address book, 30 stands beside the ban score.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use peermux::connmgr::{
    AddressSource, CloseReason, ConnState, DialFilter, Filter, Listener, ManagerError, Reconnect,
    Refusal, Request, RequestInfo, RetryPolicy, TcpDialer,
};
use peermux::testing::memory_listener;
use tokio::time::Instant;

use super::*;

/// A dial that ends after the stop leaks its socket there, and a stop cannot interrupt dials.
#[tokio::test(start_paused = true)]
async fn w01_stop_ends_dials_and_closes_what_they_opened() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    handle.connect(1).await.expect("accepted");
    handle.connect(2).await.expect("accepted");
    let mut hanging = script.next().await.expect("a dial");
    let late = script.next().await.expect("a dial");
    let begun = Instant::now();
    let (mut far, ()) = tokio::join!(async { late.succeed() }, handle.stop());
    assert!(begun.elapsed() < SECOND);
    hanging.given_up().await;
    assert!(events.recv().await.is_none());
    assert!(at_end(&mut far).await);
}

/// A stop leaves established sockets open there, and reports nothing.
#[tokio::test(start_paused = true)]
async fn w02_stop_closes_and_reports_every_connection() {
    let (listener, caller) = memory_listener();
    let (dialer, mut script) = dial_script();
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer).config(explicit_only());
    let (handle, mut events) = start(builder.listener(listener));
    handle.connect(1).await.expect("accepted");
    let mut far = script.next().await.expect("a dial").succeed();
    let mut dialled = opened(&mut events).await;
    let mut caller_end = caller.call(2).await;
    let accepted = opened(&mut events).await;
    let begun = Instant::now();
    // An owner that is stuck in reading is woken; one that never looks is closed all the same.
    let (read, ()) = tokio::join!(dialled.read_u8(), handle.stop());
    assert!(read.is_err());
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert!(at_end(&mut far).await && at_end(&mut caller_end).await);
    for conn in [dialled, accepted] {
        let (id, reason) = closed(&mut events).await;
        assert_eq!(id, conn.id());
        assert!(matches!(reason, CloseReason::Shutdown));
    }
    assert!(events.recv().await.is_none());
}

/// A request that failed or ended stays registered there for ever, without a final state.
#[tokio::test(start_paused = true)]
async fn w03_a_request_that_is_over_is_forgotten_and_says_so() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let mut fails = handle.connect(1).await.expect("accepted");
    let mut ends = handle.connect(2).await.expect("accepted");
    script
        .next()
        .await
        .expect("a dial")
        .fail(DialError::Refused);
    let _far = script.next().await.expect("a dial").succeed();
    let failed = fails.wait_for(|_| false).await;
    assert!(matches!(failed, ConnState::Failed(DialError::Refused)));
    assert!(matches!(
        dial_failed(&mut events).await,
        (_, DialError::Refused, None)
    ));
    drop(opened(&mut events).await);
    let ended = ends.wait_for(|_| false).await;
    assert!(matches!(
        ended,
        ConnState::Disconnected(CloseReason::Dropped)
    ));
    assert!(handle.list().await.expect("runs").is_empty());
}

/// Above the target a closed connection's state stays Established there, and the wish to reconnect
/// is ignored without a word.
#[tokio::test(start_paused = true)]
async fn w04_the_state_is_true_and_a_forced_reconnect_is_honoured_or_refused() {
    let (listener, caller) = memory_listener();
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (handle, mut events) = start(builder.listener(listener));
    let mut request = handle.connect(1).await.expect("accepted");
    let first = opened(&mut events).await;
    let forced = handle.disconnect(first.id(), Reconnect::Force).await;
    assert_eq!(forced, Ok(()));
    assert!(matches!(request.state(), ConnState::Pending { .. }));
    closed(&mut events).await;
    let second = opened(&mut events).await;
    assert_eq!((second.id(), second.addr()), (request.id(), &1));
    handle
        .disconnect(second.id(), Reconnect::ByKind)
        .await
        .expect("known");
    let end = request.wait_for(|_| false).await;
    assert!(matches!(
        end,
        ConnState::Disconnected(CloseReason::Requested)
    ));
    closed(&mut events).await;

    let _end = caller.call(2).await;
    let id = opened(&mut events).await.lease().id();
    let refused = handle.disconnect(id, Reconnect::Force).await;
    assert!(matches!(
        refused,
        Err(ManagerError::Inbound(_) | ManagerError::UnknownId(_))
    ));
}

/// Each failing one-shot request creates one more automatic connection there.
#[tokio::test(start_paused = true)]
async fn w05_failed_one_shot_requests_add_no_automatic_ones() {
    let dialer = FnDialer::new(|addr: &u32| match addr {
        0..100 => Ok(duplex(64).0),
        _ => Err(DialError::Refused),
    });
    let config = ConnConfig::default().with_target(2);
    let builder = ConnManager::builder(dialer).config(config);
    let (handle, mut events) = start(builder.source(numbers(0..20)));
    let _conns = [opened(&mut events).await, opened(&mut events).await];
    for addr in 100..105 {
        handle.connect(addr).await.expect("accepted");
        dial_failed(&mut events).await;
    }
    quiet(&mut events, 10 * MINUTE).await;
    let counts = handle.counts().await.expect("runs");
    assert_eq!(counts.automatic.connected, 2);
    assert_eq!(counts.automatic.pending + counts.one_shot.pending, 0);
}

/// Callbacks run side by side there, and mostly the end of a short connection is heard of before
/// its beginning.
#[tokio::test]
async fn w06_an_id_opens_before_it_closes() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let mut open = HashSet::new();
    for addr in 0..1000 {
        handle.connect(addr).await.expect("accepted");
    }
    let mut closed = 0;
    while closed < 1000 {
        match next(&mut events).await {
            ConnEvent::Opened { id, conn, .. } => {
                assert!(open.insert(id));
                tokio::spawn(async move { drop(conn) });
            }
            ConnEvent::Closed { id, .. } => {
                assert!(open.remove(&id));
                closed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Permanent connections count towards the automatic target there once one is lost.
#[tokio::test(start_paused = true)]
async fn w07_each_kind_is_counted_for_itself() {
    let config = ConnConfig::default().with_target(3);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (handle, mut events) = start(builder.source(numbers(0..20)));
    for addr in [100, 101] {
        let request = handle.connect_permanent(addr, RetryPolicy::default()).await;
        request.expect("accepted");
    }
    let mut conns = HashMap::new();
    for _ in 0..5 {
        let conn = opened(&mut events).await;
        conns.insert(*conn.addr(), conn);
    }
    let lost = *conns.keys().find(|&&addr| addr < 100).expect("automatic");
    conns.remove(&lost);
    closed(&mut events).await;
    let _replacement = opened(&mut events).await;
    let counts = handle.counts().await.expect("runs");
    let connected = (counts.automatic.connected, counts.permanent.connected);
    assert_eq!(connected, (3, 2));
}

/// Waits grow linearly and without chance there, so that after an outage everything comes back in
/// one moment.
#[tokio::test(start_paused = true)]
async fn w08_what_failed_together_comes_back_spread() {
    let (_dials, dialer) = closed_dialer();
    let (handle, mut events) = start(ConnManager::builder(dialer).config(explicit_only()));
    let policy = retry(SECOND, 20 * SECOND);
    for addr in 0..100 {
        let request = handle.connect_permanent(addr, policy).await;
        request.expect("accepted");
    }
    let mut failures: HashMap<ReqId, u32> = HashMap::new();
    let mut waits: HashMap<u32, HashSet<Duration>> = HashMap::new();
    while failures.len() < 100 || failures.values().any(|&count| count < 8) {
        let (id, _, wait) = dial_failed(&mut events).await;
        let failure = failures.entry(id).or_default();
        *failure += 1;
        let wait = wait.expect("permanent");
        let longest = (SECOND * 2u32.pow((*failure).min(8))).min(20 * SECOND);
        assert!((SECOND..=longest).contains(&wait), "{failure}: {wait:?}");
        waits.entry(*failure).or_default().insert(wait);
    }
    for failure in 1..8 {
        assert!(waits[&failure].len() > 90, "{failure}");
    }
    let longest = waits[&7].iter().max().expect("100 waits");
    assert!(*longest > 15 * SECOND);
}

/// The count of failures is reset by an open socket there: a peer that accepts and hangs up is
/// dialled at the base rate for ever.
#[tokio::test(start_paused = true)]
async fn w09_only_a_connection_that_lasted_resets_the_waits() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let request = handle
        .connect_permanent(1, retry(SECOND, 300 * SECOND))
        .await;
    let id = request.expect("accepted").id();
    for round in 1..=10 {
        drop(opened(&mut events).await);
        closed(&mut events).await;
        assert_eq!(handle.get(id).await.expect("known").failures, round);
    }
    let lasting = opened(&mut events).await;
    tokio::time::advance(MINUTE).await;
    drop(lasting);
    closed(&mut events).await;
    assert_eq!(handle.get(id).await.expect("known").failures, 0);

    drop(opened(&mut events).await);
    closed(&mut events).await;
    assert_eq!(handle.get(id).await.expect("known").failures, 1);
    let ready = opened(&mut events).await;
    ready.mark_ready();
    drop(ready);
    closed(&mut events).await;
    let info = handle.get(id).await.expect("known");
    assert_eq!(info.failures, 0);
    let wait = info.next_dial.expect("waits") - Instant::now();
    assert!(wait <= 2 * SECOND);
}

/// Without a network the first 25 dials go out in one burst there, and then all slots fire together
/// for ever.
#[tokio::test(start_paused = true)]
async fn w10_a_dead_network_is_probed_slower_and_slower() {
    let up = Arc::new(AtomicBool::new(false));
    let times = Arc::new(Mutex::new(Vec::new()));
    let dialer = FnDialer::new({
        let (up, times) = (Arc::clone(&up), Arc::clone(&times));
        move |_: &u32| {
            times.lock().expect("no panic").push(Instant::now());
            let up = up.load(Ordering::Relaxed);
            up.then(|| duplex(64).0).ok_or(DialError::Unreachable)
        }
    });
    let begun = Instant::now();
    let builder = ConnManager::builder(dialer).config(ConnConfig::default());
    let (_handle, mut events) = start(builder.source(numbers(0..5000)));
    for _ in 0..40 {
        dial_failed(&mut events).await;
    }
    let ages: Vec<_> = {
        let times = times.lock().expect("no panic");
        times.iter().map(|&time| time - begun).collect()
    };
    assert!(ages[7] < 50 * MILLI && ages[8] >= 450 * MILLI, "{ages:?}");
    for pair in ages[8..25].windows(2) {
        assert!(pair[1] - pair[0] >= 450 * MILLI, "{ages:?}");
    }
    for pair in ages[25..].windows(2) {
        assert!(pair[1] - pair[0] >= 4900 * MILLI, "{ages:?}");
    }
    assert!(ages[39] - ages[30] > 9 * MINUTE, "{ages:?}");

    up.store(true, Ordering::Relaxed);
    let mut conns = vec![opened(&mut events).await];
    let back = Instant::now();
    while conns.len() < 8 {
        conns.push(opened(&mut events).await);
    }
    assert!(back.elapsed() < 5 * SECOND);
}

/// Counts how often it is asked, and always fails.
struct FailingListener(Arc<AtomicUsize>, std::io::ErrorKind);

impl Listener for FailingListener {
    type Addr = u32;
    type Io = DuplexStream;

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, u32)> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(self.1.into())
    }
}

/// A failing listener is asked in a spin there, 1.69 million times in 100 ms.
#[tokio::test(start_paused = true)]
async fn w11_a_failing_listener_is_asked_slower_and_slower() {
    let asked = Arc::new(AtomicUsize::new(0));
    let full = FailingListener(Arc::clone(&asked), std::io::ErrorKind::OutOfMemory);
    let broken = FailingListener(Arc::default(), std::io::ErrorKind::InvalidInput);
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (handle, mut events) = start(builder.listener(full).listener(broken));
    match next(&mut events).await {
        ConnEvent::ListenerFailed { listener, .. } => assert_eq!(listener, 1),
        other => panic!("{other:?}"),
    }
    quiet(&mut events, 100 * MILLI).await;
    // At 0, 5, 15, 35 and 75 ms.
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    quiet(&mut events, 100 * SECOND).await;
    assert!((100..110).contains(&asked.load(Ordering::Relaxed)));
    handle.stop().await;
}

/// Operations before the start block for ever there if the start never comes.
#[tokio::test(start_paused = true)]
async fn w12_commands_before_the_start_wait_or_fail() {
    let build = || {
        let builder = ConnManager::builder(open_dialer()).config(explicit_only());
        builder.build().expect("a good configuration")
    };
    let (manager, handle, mut events) = build();
    let early = tokio::spawn({
        let handle = handle.clone();
        async move { handle.connect(1).await }
    });
    tokio::task::yield_now().await;
    assert!(!early.is_finished());
    tokio::spawn(manager.run());
    let request = early.await.expect("no panic").expect("accepted");
    assert_eq!(opened(&mut events).await.id(), request.id());

    let (manager, handle, _events) = build();
    let never = tokio::spawn(async move { handle.connect(1).await.map(drop) });
    tokio::task::yield_now().await;
    drop(manager);
    assert_eq!(never.await.expect("no panic"), Err(ManagerError::Stopped));
}

/// Two connects of one request dial twice there and overwrite its id.
#[tokio::test(start_paused = true)]
async fn w13_two_connects_at_once_dial_once() {
    let (handle, _events, mut script) = scripted(explicit_only());
    let (first, second) = tokio::join!(handle.connect(1), handle.connect(1));
    let first = first.expect("accepted");
    let second = second.map(drop);
    assert_eq!(second, Err(ManagerError::AlreadyManaged(first.id())));
    script.next().await.expect("a dial");
    assert!(script.try_next().is_none());
}

/// A removed request that is connected again is dialled there, and then closed without a word.
#[tokio::test(start_paused = true)]
async fn w14_a_removed_address_can_be_asked_for_again() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let first = handle.connect(1).await.expect("accepted").id();
    handle.remove(first).await.expect("known");
    let second = handle.connect(1).await.expect("accepted").id();
    assert!(second > first);
    let _conn = loop {
        let conn = match next(&mut events).await {
            ConnEvent::Opened { conn, .. } => conn,
            ConnEvent::Closed { id, .. } if id == first => continue,
            other => panic!("{other:?}"),
        };
        if conn.id() == second {
            break conn;
        }
    };
    assert_eq!(handle.find(1).await.expect("known").id, second);
}

/// One task writes a request's address there while another one formats it. Here what others see is
/// a copy, or a channel's value, and the address of a row is always whole.
#[tokio::test(start_paused = true)]
async fn w15_what_others_see_of_a_request_is_a_snapshot() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Request>();
    shared::<RequestInfo<u32>>();
    shared::<ConnHandle<u32>>();
    let (handle, _events, mut script) = scripted(explicit_only());
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let id = request.expect("accepted").id();
    let before = handle.get(id).await.expect("known");
    handle.set_addr(id, 2).await.expect("permanent");
    assert_eq!(before.addr, 1);
    assert_eq!(handle.get(id).await.expect("known").addr, 2);
    script.next().await.expect("a dial");
}

/// Offers the same candidate, or group, however often it is told not to.
struct Stubborn(Vec<Candidate<u32>>);

impl AddressSource<u32> for Stubborn {
    async fn next(&mut self, _: &DialFilter<u32>) -> Option<Candidate<u32>> {
        self.0.rotate_left(1);
        self.0.last().cloned()
    }
}

/// All automatic slots may go to one address there, and parallel dials into one group.
#[tokio::test(start_paused = true)]
async fn w16_address_and_group_are_reserved_when_the_dial_starts() {
    let (dialer, mut script) = dial_script();
    let offered = vec![
        Candidate::new(1).with_group("a"),
        Candidate::new(1).with_group("b"),
        Candidate::new(2).with_group("a"),
        Candidate::new(3).with_group("c").with_key("node"),
        Candidate::new(4).with_group("d").with_key("node"),
    ];
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer);
    let (handle, mut events) = start(builder.source(Stubborn(offered)));
    let first = script.next().await.expect("a dial");
    let second = script.next().await.expect("a dial");
    assert_eq!((first.addr(), second.addr()), (&1, &3));
    let _far = (first.succeed(), second.succeed());
    let conns = [opened(&mut events).await, opened(&mut events).await];
    quiet(&mut events, MINUTE).await;
    assert!(script.try_next().is_none());
    let taken = handle.connect(1).await.map(drop);
    assert_eq!(taken, Err(ManagerError::AlreadyManaged(conns[0].id())));
    let taken = handle.connect(Candidate::new(9).with_key("node")).await;
    let by = ManagerError::AlreadyManaged(conns[1].id());
    assert_eq!(taken.map(drop), Err(by));
    drop(conns);
    closed(&mut events).await;
    closed(&mut events).await;
    script.next().await.expect("free again");
}

/// A dial in flight cannot be ended there, and one that hangs blocks for ever.
#[tokio::test(start_paused = true)]
async fn w17_a_dial_ends_when_it_is_removed_and_when_its_time_is_up() {
    let (handle, mut events, mut script) = scripted(explicit_only().with_max_dials(1));
    let id = handle.connect(1).await.expect("accepted").id();
    handle.connect(2).await.expect("accepted");
    let mut removed = script.next().await.expect("a dial");
    handle.remove(id).await.expect("known");
    removed.given_up().await;
    let begun = Instant::now();
    let mut hanging = script.next().await.expect("the slot is free");
    let (_, error, _) = dial_failed(&mut events).await;
    assert!(matches!(error, DialError::Timeout));
    assert_eq!(begun.elapsed().as_secs(), 30);
    hanging.given_up().await;
}

/// Timers of removed requests run on there, for up to 5 min, and keep the request in memory.
#[tokio::test(start_paused = true)]
async fn w18_a_removed_request_leaves_no_timer() {
    let (dials, dialer) = closed_dialer();
    let (handle, mut events) = start(ConnManager::builder(dialer).config(explicit_only()));
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let id = request.expect("accepted").id();
    dial_failed(&mut events).await;
    handle.remove(id).await.expect("known");
    assert_eq!(
        handle.get(id).await.map(drop),
        Err(ManagerError::UnknownId(id))
    );
    quiet(&mut events, 10 * MINUTE).await;
    assert_eq!(dials.load(Ordering::Relaxed), 1);
}

/// Commands have no result there; an unknown id only reaches the log.
#[tokio::test(start_paused = true)]
async fn w19_every_command_answers() {
    let config = explicit_only().with_max_requests(1);
    let (handle, _events, _script) = scripted(config);
    let id = handle.connect(1).await.expect("accepted").id();
    let full = ManagerError::LimitReached { limit: 1 };
    assert_eq!(handle.connect(2).await.map(drop), Err(full));
    let once = handle.set_addr(id, 3).await;
    assert_eq!(once, Err(ManagerError::NotPermanent(id)));
    assert_eq!(handle.remove(id).await, Ok(()));
    let unknown = ManagerError::UnknownId(id);
    assert_eq!(handle.remove(id).await, Err(unknown));
    let gone = handle.disconnect(id, Reconnect::ByKind).await;
    assert_eq!(gone, Err(unknown));
    assert_eq!(handle.watch(id).await.map(drop), Err(unknown));
    let gone = handle.set_permanent(id, RetryPolicy::default()).await;
    assert_eq!(gone, Err(unknown));
    assert_eq!(
        handle.remove_addr(1).await,
        Err(ManagerError::UnknownAddress)
    );
}

/// A removed permanent peer is only disconnected there and comes back; one that waits for its retry
/// cannot even be named.
#[tokio::test(start_paused = true)]
async fn w20_a_permanent_request_is_removed_in_any_state() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let policy = RetryPolicy::default();
    for state in ["dialing", "waiting", "connected"] {
        let request = handle.connect_permanent(1, policy).await;
        let mut request = request.expect("accepted");
        let dial = script.next().await.expect("a dial");
        let _held = match state {
            "dialing" => (Some(dial), None),
            "waiting" => {
                dial.fail(DialError::Refused);
                dial_failed(&mut events).await;
                (None, None)
            }
            _ => {
                dial.succeed();
                (None, Some(opened(&mut events).await))
            }
        };
        assert_eq!(handle.remove_addr(1).await, Ok(request.id()));
        assert!(request.wait_for(|_| false).await.is_terminal());
        if state == "connected" {
            closed(&mut events).await;
        }
        quiet(&mut events, 10 * MINUTE).await;
        assert!(script.try_next().is_none(), "{state}");
    }
}

/// A target of 0 becomes 8 there.
#[tokio::test(start_paused = true)]
async fn w21_a_target_of_nothing_is_nothing() {
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (handle, mut events) = start(builder.source(numbers(0..20)));
    quiet(&mut events, 10 * MINUTE).await;
    handle.set_target(1).await.expect("runs");
    opened(&mut events).await;
}

/// Bans one number.
struct Ban(u32);

impl Filter<u32> for Ban {
    fn accept(&self, addr: &u32) -> Result<(), Refusal> {
        self.dial(&Candidate::new(*addr))
    }

    fn dial(&self, candidate: &Candidate<u32>) -> Result<(), Refusal> {
        let banned = *candidate.addr() == self.0;
        if banned { Err(Refusal::Banned) } else { Ok(()) }
    }
}

/// Accepted sockets have no id there and are not closed by a stop; a ban is looked at only after
/// the handshake, and never before a dial.
#[tokio::test(start_paused = true)]
async fn w22_accepted_connections_are_managed_and_bans_hold_at_the_door() {
    let (listener, caller) = memory_listener();
    let (dialer, mut script) = dial_script();
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer)
        .config(explicit_only().with_drain(Duration::ZERO))
        .filter(Ban(666));
    let (handle, mut events) = start(builder.listener(listener));
    let mut banned = caller.call(666).await;
    match next(&mut events).await {
        ConnEvent::InboundRejected { addr, cause } => {
            assert_eq!((addr, cause), (666, Refusal::Banned));
        }
        other => panic!("{other:?}"),
    }
    assert!(at_end(&mut banned).await);
    let refused = handle.connect(666).await.map(drop);
    assert_eq!(refused, Err(ManagerError::Refused(Refusal::Banned)));
    assert!(script.try_next().is_none());

    let mut end = caller.call(1).await;
    let conn = opened(&mut events).await;
    assert_eq!(handle.find(1).await.expect("known").id, conn.id());
    handle.stop().await;
    assert!(matches!(closed(&mut events).await, (id, CloseReason::Shutdown) if id == conn.id()));
    assert!(at_end(&mut end).await);
}

/// A slot leaks there if the callback never closes its socket.
#[tokio::test(start_paused = true)]
async fn w23_a_slot_is_free_when_its_owner_is_gone_however_it_went() {
    let (listener, caller) = memory_listener();
    let config = explicit_only().with_max_inbound(1);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (_handle, mut events) = start(builder.listener(listener));
    let _first = caller.call(1).await;
    let conn = opened(&mut events).await;
    let owner = tokio::spawn(async move {
        let _held = conn;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    owner.abort();
    closed(&mut events).await;
    let _second = caller.call(2).await;
    let (io, lease) = opened(&mut events).await.into_parts().expect("open");
    drop((io, lease));
    closed(&mut events).await;
    let _third = caller.call(3).await;
    opened(&mut events).await;
}

/// A query to a loop that has ended waits for ever there.
#[tokio::test(start_paused = true)]
async fn w24_queries_after_the_end_are_answered() {
    let (handle, mut events, _script) = scripted(explicit_only());
    handle.stop().await;
    assert!(events.recv().await.is_none());
    assert_eq!(handle.list().await.map(drop), Err(ManagerError::Stopped));
    assert_eq!(handle.counts().await.map(drop), Err(ManagerError::Stopped));
    assert_eq!(handle.find(1).await.map(drop), Err(ManagerError::Stopped));
    assert_eq!(handle.set_target(1).await, Err(ManagerError::Stopped));
}

/// A dialer that panics takes nothing with it.
#[tokio::test(start_paused = true)]
async fn a_dialer_that_panics_is_a_failed_dial() {
    let dialer = FnDialer::new(|addr: &u32| match addr {
        13 => panic!("unlucky"),
        _ => Ok(duplex(64).0),
    });
    let (handle, mut events) = start(ConnManager::builder(dialer).config(explicit_only()));
    handle.connect(13).await.expect("accepted");
    assert!(matches!(
        dial_failed(&mut events).await.1,
        DialError::Broken
    ));
    handle.connect(14).await.expect("accepted");
    opened(&mut events).await;
}

#[tokio::test]
async fn tcp_dials_tell_refused_from_invalid() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let addr = closed.and_then(|it| it.local_addr()).expect("loopback");
    let refused = TcpDialer.dial(&addr).await.map(drop);
    assert!(matches!(refused, Err(DialError::Refused)), "{refused:?}");
    assert!(DialError::Refused.is_retryable());
    let invalid = DialError::from(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    assert!(!invalid.is_retryable());
}

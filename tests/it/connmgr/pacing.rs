//! How fast dials and accepts are retried.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use peermux::connmgr::Listener;
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn waits_stay_between_the_base_and_the_cap() {
    let up = Instant::now() + 5 * MILLI;
    let dialer = FnDialer::new(move |_: &u32| {
        let reachable = Instant::now() >= up;
        reachable
            .then(|| duplex(64).0)
            .ok_or(ConnectError::Unreachable)
    });
    let (handle, mut events) = start(ConnManager::builder(dialer).config(explicit_only()));
    let policy = retry(MILLI, 2 * MILLI);
    let request = handle.connect_permanent(1, policy).await;
    request.expect("accepted");
    while let ConnEvent::DialFailed { retry_in, .. } = next(&mut events).await {
        assert!(retry_in.is_some_and(|wait| (MILLI..=2 * MILLI).contains(&wait)));
    }
    assert!(Instant::now() - up < 10 * MILLI);
}

/// Without a spread, all nodes would be dialled at the same moment after an outage.
#[tokio::test(start_paused = true)]
async fn retries_of_requests_that_failed_together_are_spread() {
    let dialer = FnDialer::new(|_: &u32| Err::<DuplexStream, _>(ConnectError::Refused));
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

/// A peer that accepts and closes must not be dialled at the base rate forever.
#[tokio::test(start_paused = true)]
async fn only_a_connection_that_lasted_or_is_ready_resets_the_waits() {
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
    let wait = info.next_dial.expect("waits");
    assert!(wait <= 2 * SECOND);
}

/// Dials begin with a burst of 8, then follow at two per second. After 25 failures, they follow one
/// at a time with growing waits.
#[tokio::test(start_paused = true)]
async fn a_dead_network_is_probed_more_and_more_slowly() {
    let up = Arc::new(AtomicBool::new(false));
    let times = Arc::new(Mutex::new(Vec::new()));
    let dialer = FnDialer::new({
        let (up, times) = (Arc::clone(&up), Arc::clone(&times));
        move |_: &u32| {
            times.lock().expect("no panic").push(Instant::now());
            let up = up.load(Ordering::Relaxed);
            up.then(|| duplex(64).0).ok_or(ConnectError::Unreachable)
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

/// A machine whose route comes and goes.
struct Routed(Arc<AtomicBool>);

impl Dialer for Routed {
    type Addr = u32;
    type Io = DuplexStream;

    async fn dial(&self, addr: &u32) -> Result<DuplexStream, ConnectError> {
        let up = self.may_reach(addr);
        up.then(|| duplex(64).0).ok_or(ConnectError::NoRoute)
    }

    fn may_reach(&self, _: &u32) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_returns_is_used_at_once() {
    let up = Arc::new(AtomicBool::new(false));
    let manager = ConnManager::builder(Routed(Arc::clone(&up))).config(explicit_only());
    let (handle, mut events) = start(manager);
    let hour = 60 * MINUTE;
    for addr in 0..20 {
        let request = handle.connect_permanent(addr, retry(5 * SECOND, hour));
        request.await.expect("accepted");
    }
    for _ in 0..200 {
        dial_failed(&mut events).await;
    }
    up.store(true, Ordering::Relaxed);
    let back = Instant::now();
    let mut conns = Vec::new();
    while conns.len() < 20 {
        conns.push(opened(&mut events).await);
    }
    assert!(back.elapsed() <= 10 * SECOND, "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn addresses_without_a_route_are_not_drawn() {
    let up = Arc::new(AtomicBool::new(false));
    let manager = ConnManager::builder(Routed(Arc::clone(&up))).config(ConnConfig::default());
    let (_handle, mut events) = start(manager.source(numbers(0..5000)));
    quiet(&mut events, 10 * MINUTE).await;
    up.store(true, Ordering::Relaxed);
    opened(&mut events).await;
}

/// A listener that counts its calls and always fails.
struct FailingListener(Arc<AtomicUsize>, std::io::ErrorKind);

impl Listener for FailingListener {
    type Addr = u32;
    type Io = DuplexStream;

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, u32)> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(self.1.into())
    }
}

/// Without a wait the accept loop would spin.
#[tokio::test(start_paused = true)]
async fn a_failing_listener_is_asked_more_and_more_slowly() {
    let asked = Arc::new(AtomicUsize::new(0));
    let full = FailingListener(Arc::clone(&asked), std::io::ErrorKind::OutOfMemory);
    let broken = FailingListener(Arc::default(), std::io::ErrorKind::InvalidInput);
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (handle, mut events) = start(builder.listener(full).listener(broken));
    match next(&mut events).await {
        ConnEvent::ListenerFailed { listener, left, .. } => assert_eq!((listener, left), (1, 1)),
        other => panic!("{other:?}"),
    }
    quiet(&mut events, 100 * MILLI).await;
    // The listener was asked at 0, 5, 15, 35 and 75 ms.
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    quiet(&mut events, 100 * SECOND).await;
    assert!((100..110).contains(&asked.load(Ordering::Relaxed)));
    handle.stop().await;
}

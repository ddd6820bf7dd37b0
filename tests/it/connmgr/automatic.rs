//! Automatic connections: their target, and how they are counted.

use std::collections::{HashMap, HashSet};

use peermux::connmgr::{AddressSource, DialFilter, ManagerError, RetryPolicy};

use super::*;

#[tokio::test(start_paused = true)]
async fn automatic_connections_reach_the_target_and_stop() {
    let config = ConnConfig::default().with_target(10);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (_handle, mut events) = start(builder.source(numbers(0..20)));
    let mut conns = Vec::new();
    for _ in 0..10 {
        conns.push(opened(&mut events).await);
    }
    let addrs: HashSet<_> = conns.iter().map(|conn| *conn.addr()).collect();
    assert_eq!(addrs.len(), 10);
    quiet(&mut events, 10 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn permanent_connections_do_not_count_towards_the_target() {
    for before_start in [true, false] {
        let config = ConnConfig::default().with_target(3);
        let builder = ConnManager::builder(open_dialer()).config(config);
        let built = builder.source(numbers(0..20)).build();
        let (manager, handle, mut events) = built.expect("a good configuration");
        let mut manager = Some(manager);
        if !before_start {
            tokio::spawn(manager.take().expect("once").run());
        }
        let permanent = [100, 101].map(|addr| {
            let handle = handle.clone();
            tokio::spawn(async move {
                let policy = RetryPolicy::default();
                handle.connect_permanent(addr, policy).await.map(drop)
            })
        });
        tokio::task::yield_now().await;
        if let Some(manager) = manager {
            tokio::spawn(manager.run());
        }
        for request in permanent {
            assert_eq!(request.await.expect("no panic"), Ok(()));
        }
        let mut conns = Vec::new();
        for _ in 0..5 {
            conns.push(opened(&mut events).await);
        }
        quiet(&mut events, 10 * MINUTE).await;
        let counts = handle.counts().await.expect("runs");
        let connected = (counts.automatic.connected, counts.permanent.connected);
        assert_eq!(connected, (3, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn the_target_can_be_changed() {
    let config = ConnConfig::default().with_target(2);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (handle, mut events) = start(builder.source(numbers(0..20)));
    let mut conns = vec![opened(&mut events).await, opened(&mut events).await];
    handle.set_target(3).await.expect("runs");
    conns.push(opened(&mut events).await);
    handle.set_target(1).await.expect("runs");
    quiet(&mut events, MINUTE).await;
    for _ in 0..2 {
        conns.pop();
        closed(&mut events).await;
        quiet(&mut events, MINUTE).await;
    }
    conns.pop();
    closed(&mut events).await;
    opened(&mut events).await;
}

#[tokio::test(start_paused = true)]
async fn a_target_of_zero_dials_nothing() {
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (handle, mut events) = start(builder.source(numbers(0..20)));
    quiet(&mut events, 10 * MINUTE).await;
    handle.set_target(1).await.expect("runs");
    opened(&mut events).await;
}

#[tokio::test(start_paused = true)]
async fn failed_one_shot_requests_add_no_automatic_connections() {
    let dialer = FnDialer::new(|addr: &u32| match addr {
        0..100 => Ok(duplex(64).0),
        _ => Err(ConnectError::Refused),
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

/// Permanent connections must not fill the seat of a lost automatic connection.
#[tokio::test(start_paused = true)]
async fn a_lost_automatic_connection_is_replaced_even_with_permanent_ones() {
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

/// A source that offers the same candidates repeatedly, even those that the filter refuses.
struct Stubborn(Vec<Candidate<u32>>);

impl AddressSource<Candidate<u32>> for Stubborn {
    async fn next(&mut self, _: &DialFilter<Candidate<u32>>) -> Option<Candidate<u32>> {
        self.0.rotate_left(1);
        self.0.last().cloned()
    }
}

/// A dial reserves its address, key and group when it starts. So parallel dials differ in all
/// three.
#[tokio::test(start_paused = true)]
async fn a_dial_reserves_its_address_its_key_and_its_group() {
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

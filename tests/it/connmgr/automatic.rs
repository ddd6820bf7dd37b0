use std::collections::HashSet;

use peermux::connmgr::RetryPolicy;

use super::*;

// TestTargetOutbound
#[tokio::test(start_paused = true)]
async fn target_outbound() {
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

// TestTargetOutboundComposition
#[tokio::test(start_paused = true)]
async fn target_composition() {
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

// TestNetworkFailure
#[tokio::test(start_paused = true)]
async fn network_failure() {
    let (dials, dialer) = closed_dialer();
    let config = ConnConfig::default()
        .with_target(5)
        .with_backoff(Backoff::new(5 * MILLI, 10 * MILLI));
    let builder = ConnManager::builder(dialer).config(config);
    let (handle, mut events) = start(builder.source(numbers(0..200)));
    let stop = tokio::time::sleep(10 * MILLI);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            event = events.recv() => {
                assert!(matches!(event, Some(ConnEvent::DialFailed { .. })), "{event:?}");
            }
        }
    }
    handle.stop().await;
    assert!(dials.load(Ordering::Relaxed) <= 75);
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

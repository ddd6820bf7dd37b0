//! How requests, connections and the manager end. "There" is upstream.

use std::collections::{HashMap, HashSet};

use peermux::connmgr::{CloseReason, ConnState, ManagerError, Reconnect, RetryPolicy};
use peermux::testing::memory_listener;
use tokio::time::Instant;

use crate::connmgr::*;

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
    let dialled = opened(&mut events).await;
    let mut caller_end = caller.call(2).await;
    let accepted = opened(&mut events).await;
    let begun = Instant::now();
    // Every owner is asked; one that never looks is forgotten all the same.
    tokio::join!(dialled.closing(), accepted.closing(), handle.stop());
    assert_eq!(begun.elapsed().as_secs(), 5);
    for conn in [dialled, accepted] {
        let (id, reason) = closed(&mut events).await;
        assert_eq!(id, conn.id());
        assert!(matches!(reason, CloseReason::Shutdown));
    }
    assert!(at_end(&mut far).await && at_end(&mut caller_end).await);
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
        .fail(ConnectError::Refused);
    let _far = script.next().await.expect("a dial").succeed();
    let failed = fails.wait_for(|_| false).await;
    assert!(matches!(failed, ConnState::Failed(ConnectError::Refused)));
    assert!(matches!(
        dial_failed(&mut events).await,
        (_, ConnectError::Refused, None)
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
    let id = opened(&mut events).await.id();
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
            ConnEvent::Opened { io, lease } => {
                let (id, conn) = (lease.id(), (io, lease));
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

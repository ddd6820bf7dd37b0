//! The manager from its configuration to its end.

use std::collections::HashSet;

use peermux::connmgr::{
    CloseReason, ConnConfig, ConnManager, ManagerError, Reconnect, RetryPolicy,
};
use peermux::testing::{dial_script, memory_listener};
use tokio::time::Instant;

use super::*;

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let build = |config| {
        let (dialer, _script) = dial_script::<u32>();
        let built = ConnManager::builder(dialer).config(config).build();
        built.map(drop)
    };
    let config = ConnConfig::default;
    assert_eq!(build(config()), Ok(()));
    for (config, setting) in [
        (config().with_max_dials(0), "max_dials"),
        (config().with_max_unread_events(0), "max_unread_events"),
        (config().with_dial_timeout(Duration::ZERO), "dial_timeout"),
    ] {
        let refused = build(config).expect_err("it cannot work");
        assert_eq!(refused.setting(), setting, "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_before_the_start_wait_for_it_or_fail_with_the_manager() {
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

/// Even the shortest connection is reported open before it is reported closed.
#[tokio::test]
async fn a_connection_is_reported_open_before_it_is_reported_closed() {
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

#[tokio::test(start_paused = true)]
async fn a_stop_reports_the_open_connection_and_later_commands_fail() {
    let config = ConnConfig::default().with_target(1);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (handle, mut events) = start(builder.source(numbers(0..5)));
    let conn = opened(&mut events).await;
    tokio::join!(handle.stop(), handle.stop());
    handle.stop().await;
    let id = conn.id();
    let late = handle.connect(9).await.map(|_| ());
    assert_eq!(late, Err(ManagerError::Stopped));
    let late = handle.disconnect(id, Reconnect::ByKind).await;
    assert_eq!(late, Err(ManagerError::Stopped));
    assert_eq!(handle.remove(id).await, Err(ManagerError::Stopped));
    let (closed, reason) = closed(&mut events).await;
    assert_eq!(closed, id);
    assert!(matches!(reason, CloseReason::Shutdown));
    assert!(events.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn queries_after_the_end_fail_instead_of_waiting() {
    let (handle, mut events, _script) = scripted(explicit_only());
    handle.stop().await;
    assert!(events.recv().await.is_none());
    assert_eq!(handle.list().await.map(drop), Err(ManagerError::Stopped));
    assert_eq!(handle.counts().await.map(drop), Err(ManagerError::Stopped));
    assert_eq!(handle.find(1).await.map(drop), Err(ManagerError::Stopped));
    assert_eq!(handle.set_target(1).await, Err(ManagerError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_during_the_stop_ends_its_request() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let mut request = request.expect("accepted");
    let dial = script.next().await.expect("a dial");
    let stopping = tokio::spawn({
        let handle = handle.clone();
        async move { handle.stop().await }
    });
    dial.fail(ConnectError::Refused);
    stopping.await.expect("stops");
    let end = request.wait_for(|_| false).await;
    assert!(end.is_terminal(), "{end:?}");
    while let Some(event) = events.recv().await {
        assert!(matches!(event, ConnEvent::DialFailed { .. }), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_dials_and_closes_what_they_opened() {
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

#[tokio::test(start_paused = true)]
async fn a_stop_notifies_every_owner_and_reports_every_end() {
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
    // The owner of every connection is notified. An owner that does not react is dropped after the
    // drain time.
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

#[tokio::test(start_paused = true)]
async fn an_owner_that_ends_within_the_drain_time_is_not_cut_off() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    handle.connect(1).await.expect("accepted");
    let mut far = script.next().await.expect("a dial").succeed();
    let conn = opened(&mut events).await;
    let owner = tokio::spawn(async move {
        conn.closing().await;
        assert!(!at_end(&mut far).await);
        drop(conn);
        assert!(at_end(&mut far).await);
    });
    let before = tokio::time::Instant::now();
    handle.stop().await;
    assert!(before.elapsed() < SECOND);
    owner.await.expect("ended in time");
}

#[tokio::test(start_paused = true)]
async fn dropped_handles_stop_the_manager_unless_it_keeps_running() {
    let (handle, mut events, _script) = scripted(explicit_only());
    drop(handle);
    assert!(events.recv().await.is_none());

    let (handle, mut events, _script) = scripted(explicit_only().with_keep_running(true));
    drop(handle);
    quiet(&mut events, MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn dropped_events_stop_the_manager() {
    let (handle, events, _script) = scripted(explicit_only());
    drop(events);
    handle.stopped().await;
    assert_eq!(handle.list().await.map(drop), Err(ManagerError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_dialled_while_events_are_unread() {
    let config = explicit_only().with_max_unread_events(2).with_max_dials(1);
    let (handle, mut events, mut script) = scripted(config);
    for addr in 0..5 {
        handle.connect(addr).await.expect("accepted");
    }
    // The third dial was in progress when the second event filled the stream.
    for _ in 0..3 {
        let dial = script.next().await.expect("a dial");
        dial.fail(ConnectError::Refused);
    }
    tokio::time::advance(MINUTE).await;
    handle.counts().await.expect("runs");
    assert!(script.try_next().is_none());
    for _ in 0..2 {
        dial_failed(&mut events).await;
    }
    assert_eq!(script.next().await.expect("a dial").addr(), &3);
}

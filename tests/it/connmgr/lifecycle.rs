use peermux::connmgr::{
    CloseReason, ConfigError, ConnConfig, ConnManager, ManagerError, Reconnect, RetryPolicy,
};
use peermux::testing::dial_script;

use super::*;

// TestNewConfig. That there is a dialer is a matter of types.
#[test]
fn config_is_checked() {
    let build = |config| {
        let (dialer, _script) = dial_script::<u32>();
        let built = ConnManager::builder(dialer).config(config).build();
        built.map(drop)
    };
    let config = ConnConfig::default;
    assert_eq!(build(config()), Ok(()));
    let no_dials = build(config().with_max_dials(0));
    assert_eq!(no_dials, Err(ConfigError::NoDials));
    let no_events = build(config().with_event_capacity(0));
    assert_eq!(no_events, Err(ConfigError::NoEvents));
    let no_time = build(config().with_dial_timeout(Duration::ZERO));
    assert_eq!(no_time, Err(ConfigError::NoDialTime));
}

// TestStartStop. Ours reports the end of the connection, and answers the late commands.
#[tokio::test(start_paused = true)]
async fn start_stop() {
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

// TestStopFailed
#[tokio::test(start_paused = true)]
async fn stop_during_failed_dial() {
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
async fn nothing_is_dialled_while_events_are_unread() {
    let config = explicit_only().with_event_capacity(2).with_max_dials(1);
    let (handle, mut events, mut script) = scripted(config);
    for addr in 0..5 {
        handle.connect(addr).await.expect("accepted");
    }
    // The third was under way when the second event filled the stream.
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

use peermux::connmgr::{CloseReason, ConnState, ManagerError, Reconnect, RetryPolicy};
use tokio::time::Instant;

use super::*;

// TestConnectMode
#[tokio::test(start_paused = true)]
async fn connect_mode() {
    let config = ConnConfig::default().with_target(2);
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(config));
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let request = request.expect("accepted");
    let conn = opened(&mut events).await;
    assert_eq!((conn.id(), conn.addr()), (request.id(), &1));
    assert!(matches!(request.state(), ConnState::Established));
    quiet(&mut events, 10 * MINUTE).await;
}

// TestRetryPermanent
#[tokio::test(start_paused = true)]
async fn retry_permanent() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let mut request = request.expect("accepted");
    let first = opened(&mut events).await;
    let disconnected = handle.disconnect(first.id(), Reconnect::ByKind).await;
    assert_eq!(disconnected, Ok(()));
    let (id, reason) = closed(&mut events).await;
    assert_eq!(id, request.id());
    assert!(matches!(reason, CloseReason::Requested));
    assert!(matches!(request.state(), ConnState::Pending { .. }));

    let second = opened(&mut events).await;
    assert_eq!(second.id(), request.id());
    assert!(matches!(request.state(), ConnState::Established));
    // The end of the first connection is old news, and no end of the second one.
    drop(first);
    quiet(&mut events, MINUTE).await;

    assert_eq!(handle.remove(request.id()).await, Ok(()));
    assert!(matches!(closed(&mut events).await.1, CloseReason::Removed));
    let end = request.wait_for(|_| false).await;
    assert!(matches!(end, ConnState::Disconnected(CloseReason::Removed)));
    quiet(&mut events, 10 * MINUTE).await;
}

// TestMaxRetryDuration
#[tokio::test(start_paused = true)]
async fn retry_cap() {
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

// TestRemovePendingConnection
#[tokio::test(start_paused = true)]
async fn cancel_pending() {
    let (handle, _events, mut script) = scripted(explicit_only());
    let mut request = handle.connect(1).await.expect("accepted");
    let mut dial = script.next().await.expect("a dial");
    assert!(matches!(request.state(), ConnState::Pending { attempt: 0 }));
    assert_eq!(handle.remove(request.id()).await, Ok(()));
    assert!(matches!(
        request.wait_for(|_| false).await,
        ConnState::Canceled
    ));
    dial.given_up().await;
}

// TestCancelIgnoreDelayedConnection
#[tokio::test(start_paused = true)]
async fn cancel_delayed_success() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let request = handle.connect_permanent(1, retry(SECOND, SECOND)).await;
    let mut request = request.expect("accepted");
    script
        .next()
        .await
        .expect("a dial")
        .fail(ConnectError::Refused);
    let (_, _, wait) = dial_failed(&mut events).await;
    assert_eq!(wait, Some(SECOND));
    assert!(matches!(request.state(), ConnState::Failing { .. }));

    let late = script.next().await.expect("a second dial");
    assert_eq!(handle.remove(request.id()).await, Ok(()));
    let mut far = late.succeed();
    let end = request.wait_for(|_| false).await;
    assert!(matches!(end, ConnState::Canceled));
    assert!(at_end(&mut far).await);
    quiet(&mut events, 5 * SECOND).await;
    assert!(script.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_permanent_request_moves_to_another_address() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let id = request.expect("accepted").id();
    let other = handle.connect(2).await.expect("accepted").id();
    let mut old = script.next().await.expect("a dial");
    let taken = handle.set_addr(id, 2).await;
    assert_eq!(taken, Err(ManagerError::AlreadyManaged(other)));
    assert_eq!(handle.set_addr(id, 3).await, Ok(()));
    old.given_up().await;
    script.next().await.expect("the other request").succeed();
    assert_eq!(opened(&mut events).await.id(), other);
    let moved = script.next().await.expect("a dial");
    assert_eq!(moved.addr(), &3);
    let _far = moved.succeed();
    assert!(matches!(closed(&mut events).await, (id, _) if id == other));
    let conn = opened(&mut events).await;
    assert_eq!((conn.id(), conn.addr()), (id, &3));
    // While it is connected, the new address waits for the next dial.
    assert_eq!(handle.set_addr(id, 4).await, Ok(()));
    assert_eq!(
        handle.set_addr(other, 5).await,
        Err(ManagerError::UnknownId(other))
    );
    drop(conn);
    assert_eq!(script.next().await.expect("a dial").addr(), &4);
}

#[tokio::test(start_paused = true)]
async fn a_one_shot_request_becomes_permanent() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let id = handle.connect(1).await.expect("accepted").id();
    let conn = opened(&mut events).await;
    let policy = RetryPolicy::default();
    assert_eq!(handle.set_permanent(id, policy).await, Ok(()));
    drop(conn);
    assert_eq!(closed(&mut events).await.0, id);
    assert_eq!(opened(&mut events).await.id(), id);
}

#[tokio::test(start_paused = true)]
async fn the_owner_says_why_a_connection_ended_and_what_is_next() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let policy = RetryPolicy::default();
    let request = handle.connect_permanent(1, policy).await.expect("accepted");
    let conn = opened(&mut events).await;
    conn.close(std::fmt::Error, Reconnect::Never);
    let (id, reason) = closed(&mut events).await;
    assert_eq!(id, request.id());
    assert_eq!(reason.to_string(), std::fmt::Error.to_string());
    quiet(&mut events, 10 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn the_bare_socket_can_be_taken_out() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let id = handle.connect(1).await.expect("accepted").id();
    let mut far = script.next().await.expect("a dial").succeed();
    let Conn { io, lease } = opened(&mut events).await;
    assert_eq!(handle.remove(id).await, Ok(()));
    lease.closing().await;
    assert!(!at_end(&mut far).await);
    drop((io, lease));
    assert!(at_end(&mut far).await);
}

//! A request from its start to its final state.

use peermux::connmgr::{
    CloseReason, ConnState, ManagerError, Reconnect, Request, RequestInfo, RetryPolicy,
};
use peermux::testing::memory_listener;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_request_opens_one_connection_under_its_id() {
    let config = ConnConfig::default().with_target(2);
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(config));
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let request = request.expect("accepted");
    let conn = opened(&mut events).await;
    assert_eq!((conn.id(), conn.addr()), (request.id(), &1));
    assert!(matches!(request.state(), ConnState::Established));
    quiet(&mut events, 10 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_request_reconnects_until_it_is_removed() {
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
    // The late end of the first connection must not end the second one.
    drop(first);
    quiet(&mut events, MINUTE).await;

    assert_eq!(handle.remove(request.id()).await, Ok(()));
    assert!(matches!(closed(&mut events).await.1, CloseReason::Removed));
    let end = request.wait_for(|_| false).await;
    assert!(matches!(end, ConnState::Disconnected(CloseReason::Removed)));
    quiet(&mut events, 10 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_request_is_removed_in_any_state() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let policy = RetryPolicy::default();
    for state in ["dialing", "waiting", "connected"] {
        let request = handle.connect_permanent(1, policy).await;
        let mut request = request.expect("accepted");
        let dial = script.next().await.expect("a dial");
        let _held = match state {
            "dialing" => (Some(dial), None),
            "waiting" => {
                dial.fail(ConnectError::Refused);
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

#[tokio::test(start_paused = true)]
async fn a_request_that_is_over_reports_its_final_state_and_is_forgotten() {
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

/// A one-shot request dials again when forced to. An accepted connection is not dialled, because it
/// has no address to dial.
#[tokio::test(start_paused = true)]
async fn a_forced_reconnect_is_honoured_or_refused() {
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
    // While the request is connected, the new address applies only to the next dial.
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
async fn the_owner_reports_why_a_connection_ended_and_whether_to_reconnect() {
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
async fn the_bare_socket_can_be_extracted() {
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

#[tokio::test(start_paused = true)]
async fn a_removed_address_can_be_requested_again() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let first = handle.connect(1).await.expect("accepted").id();
    handle.remove(first).await.expect("known");
    let second = handle.connect(1).await.expect("accepted").id();
    assert!(second > first);
    let _conn = loop {
        let conn = match next(&mut events).await {
            ConnEvent::Opened { io, lease } => Conn { io, lease },
            ConnEvent::Closed { id, .. } if id == first => continue,
            other => panic!("{other:?}"),
        };
        if conn.id() == second {
            break conn;
        }
    };
    assert_eq!(handle.find(1).await.expect("known").id, second);
}

/// Other tasks read copies of the information, so they never see a half-written address.
#[tokio::test(start_paused = true)]
async fn the_information_about_a_request_is_a_snapshot() {
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

#[tokio::test(start_paused = true)]
async fn commands_for_unknown_or_unsuitable_requests_return_errors() {
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
    assert_eq!(handle.get(id).await.map(drop), Err(unknown));
    assert_eq!(handle.watch(id).await.map(drop), Err(unknown));
    let gone = handle.set_permanent(id, RetryPolicy::default()).await;
    assert_eq!(gone, Err(unknown));
    assert_eq!(
        handle.remove_addr(1).await,
        Err(ManagerError::UnknownAddress)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_and_its_failures_can_be_read() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let policy = retry(4 * SECOND, 4 * SECOND);
    let request = handle.connect_permanent(1, policy).await;
    let id = request.expect("accepted").id();
    for expected in 1..=3 {
        script
            .next()
            .await
            .expect("a dial")
            .fail(ConnectError::Refused);
        let event = next(&mut events).await;
        assert!(
            matches!(event, ConnEvent::DialFailed { failures, .. } if failures == expected),
            "{event:?}"
        );
        assert_eq!(handle.get(id).await.expect("known").failures, expected);
    }
    let text = handle.get(id).await.expect("known").to_string();
    let expected =
        format!("request {id}: permanent, 1, failing, 3 failures in a row, next dial in 4.0s");
    assert_eq!(text, expected);

    let dial = script.next().await.expect("a dial");
    let text = handle.get(id).await.expect("known").to_string();
    let expected = format!("request {id}: permanent, 1, pending, 3 failures in a row");
    assert_eq!(text, expected);
    let _far = dial.succeed();
    let conn = opened(&mut events).await;
    conn.lease.mark_ready();
    let mut request = handle.watch(id).await.expect("known");
    request
        .wait_for(|state| matches!(state, ConnState::Ready))
        .await;
    let text = handle.get(id).await.expect("known").to_string();
    assert_eq!(text, format!("request {id}: permanent, 1, ready"));

    let mut request = handle.connect(2).await.expect("accepted");
    let text = handle.get(request.id()).await.expect("known").to_string();
    assert_eq!(
        text,
        format!("request {}: one-shot, 2, pending", request.id())
    );
    let dial = script.next().await.expect("a dial");
    dial.fail(ConnectError::Refused);
    let end = request.wait_for(|_| false).await;
    assert_eq!(end.to_string(), "failed: connection refused");
}

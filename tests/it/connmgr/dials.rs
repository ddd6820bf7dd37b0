//! Single dials: shared, ended early, late, or broken.

use peermux::connmgr::{ConnState, ManagerError, TcpDialer};
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn two_requests_for_one_address_at_once_dial_once() {
    let (handle, _events, mut script) = scripted(explicit_only());
    let (first, second) = tokio::join!(handle.connect(1), handle.connect(1));
    let first = first.expect("accepted");
    let second = second.map(drop);
    assert_eq!(second, Err(ManagerError::AlreadyManaged(first.id())));
    script.next().await.expect("a dial");
    assert!(script.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dial_ends_when_its_request_is_removed_or_its_time_is_up() {
    let (handle, mut events, mut script) = scripted(explicit_only().with_max_dials(1));
    let mut request = handle.connect(1).await.expect("accepted");
    handle.connect(2).await.expect("accepted");
    let mut removed = script.next().await.expect("a dial");
    assert!(matches!(request.state(), ConnState::Pending { attempt: 0 }));
    handle.remove(request.id()).await.expect("known");
    let end = request.wait_for(|_| false).await;
    assert!(matches!(end, ConnState::Canceled));
    removed.given_up().await;
    let begun = Instant::now();
    let mut hanging = script.next().await.expect("the slot is free");
    let (_, error, _) = dial_failed(&mut events).await;
    assert!(matches!(error, ConnectError::Timeout));
    assert_eq!(begun.elapsed().as_secs(), 30);
    hanging.given_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_succeeds_after_its_request_was_removed_is_closed() {
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
    assert!(matches!(request.state(), ConnState::Failing));

    let late = script.next().await.expect("a second dial");
    assert_eq!(handle.remove(request.id()).await, Ok(()));
    let mut far = late.succeed();
    let end = request.wait_for(|_| false).await;
    assert!(matches!(end, ConnState::Canceled));
    assert!(at_end(&mut far).await);
    quiet(&mut events, 5 * SECOND).await;
    assert!(script.try_next().is_none());
}

/// A panic in a dialer fails only its dial.
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
        ConnectError::Broken
    ));
    handle.connect(14).await.expect("accepted");
    opened(&mut events).await;
}

#[tokio::test]
async fn tcp_dials_tell_refused_from_invalid() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let addr = closed.and_then(|it| it.local_addr()).expect("loopback");
    let refused = TcpDialer.dial(&addr).await.map(drop);
    assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    assert!(ConnectError::Refused.is_retryable());
    let invalid = ConnectError::from(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    assert!(!invalid.is_retryable());
}

//! Accepted connections, and the edges of the configuration. "There" is upstream.

use peermux::connmgr::{CloseReason, Filter, ManagerError, Refusal, TcpDialer};
use peermux::testing::memory_listener;

use crate::connmgr::*;

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
    drop(conn);
    assert!(at_end(&mut end).await);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_reported_however_the_owner_went() {
    let (listener, caller) = memory_listener();
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
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
    let Conn { io, lease } = opened(&mut events).await;
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

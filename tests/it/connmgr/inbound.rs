//! Accepted connections: their slots, their limit, and who is rejected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::connmgr::{CloseReason, Filter, Kind, ManagerError, Refusal};
use peermux::testing::{Caller, memory_listener};

use super::*;

fn listening(config: ConnConfig) -> (ConnHandle<u32>, Events, Caller<u32>) {
    let (listener, caller) = memory_listener();
    let (dialer, _) = dial_script();
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer).config(config);
    let (handle, events) = start(builder.listener(listener));
    (handle, events, caller)
}

async fn rejected(events: &mut Events) -> (u32, Refusal) {
    match next(events).await {
        ConnEvent::InboundRejected { addr, cause } => (addr, cause),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_again_when_its_connection_ends() {
    let (handle, mut events, caller) = listening(explicit_only().with_max_inbound(2));
    let mut ends = Vec::new();
    for addr in 0..3 {
        ends.push(caller.call(addr).await);
    }
    let (first, second) = (opened(&mut events).await, opened(&mut events).await);
    let full = Refusal::LimitReached { limit: 2 };
    assert_eq!(rejected(&mut events).await, (2, full));
    assert!(at_end(&mut ends[2]).await);
    drop(first);
    closed(&mut events).await;
    ends.push(caller.call(3).await);
    let third = opened(&mut events).await;
    ends.push(caller.call(4).await);
    assert_eq!(rejected(&mut events).await, (4, full));
    drop((second, third));
    closed(&mut events).await;
    closed(&mut events).await;
    assert_eq!(handle.counts().await.expect("runs").inbound.connected, 0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_rejects_every_connection() {
    let (_handle, mut events, caller) = listening(explicit_only().with_max_inbound(0));
    let mut end = caller.call(1).await;
    let none = Refusal::LimitReached { limit: 0 };
    assert_eq!(rejected(&mut events).await, (1, none));
    assert!(at_end(&mut end).await);
    quiet(&mut events, MINUTE).await;
}

#[tokio::test]
async fn a_hundred_simultaneous_callers_never_exceed_the_limit() {
    let (listener, caller) = memory_listener();
    let config = explicit_only().with_max_inbound(8);
    let builder = ConnManager::builder(open_dialer()).config(config);
    let (handle, mut events) = start(builder.listener(listener));
    let live = Arc::new(AtomicUsize::new(0));
    let mut owners = tokio::task::JoinSet::new();
    let mut callers = tokio::task::JoinSet::new();
    for addr in 0..100 {
        let caller = caller.clone();
        callers.spawn(async move { caller.call(addr).await });
    }
    let (mut seen, mut over) = (0, 0);
    while seen < 100 {
        match next(&mut events).await {
            ConnEvent::Opened { conn, .. } => {
                assert!(live.fetch_add(1, Ordering::AcqRel) < 8);
                let live = Arc::clone(&live);
                owners.spawn(async move {
                    tokio::task::yield_now().await;
                    live.fetch_sub(1, Ordering::AcqRel);
                    drop(conn);
                });
                seen += 1;
            }
            ConnEvent::Closed { .. } => over += 1,
            ConnEvent::InboundRejected { .. } => seen += 1,
            other => panic!("{other:?}"),
        }
    }
    let opened = owners.len();
    while owners.join_next().await.is_some() {}
    while over < opened {
        closed(&mut events).await;
        over += 1;
    }
    assert_eq!(handle.counts().await.expect("runs").inbound.connected, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_when_its_owner_is_aborted_or_drops_its_parts() {
    let (listener, caller) = memory_listener();
    let config = explicit_only().with_max_inbound(1);
    let builder = ConnManager::builder(open_dialer()).config(config);
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
    let (io, lease) = opened(&mut events).await.into_parts().expect("open");
    drop((io, lease));
    closed(&mut events).await;
    let _third = caller.call(3).await;
    opened(&mut events).await;
}

#[tokio::test(start_paused = true)]
async fn connections_of_all_listeners_are_reported() {
    let (first, to_first) = memory_listener();
    let (second, to_second) = memory_listener();
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (handle, mut events) = start(builder.listener(first).listener(second));
    let mut ends = Vec::new();
    for addr in 0..2 {
        ends.push(to_first.call(addr).await);
        ends.push(to_second.call(10 + addr).await);
    }
    let mut conns = Vec::new();
    for _ in 0..4 {
        let conn = opened(&mut events).await;
        assert_eq!(conn.kind(), Kind::Inbound);
        conns.push(conn);
    }
    let mut addrs: Vec<_> = conns.iter().map(|conn| *conn.addr()).collect();
    addrs.sort_unstable();
    assert_eq!(addrs, [0, 1, 10, 11]);
    handle.stop().await;
}

#[tokio::test]
async fn on_sockets_the_limit_holds_and_a_stop_closes_the_listener() {
    use peermux::connmgr::TcpDialer;
    use tokio::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let config = explicit_only().with_max_inbound(1);
    let builder = ConnManager::builder(TcpDialer).config(config);
    let (handle, mut events) = start(builder.listener(listener));
    let _first = TcpStream::connect(addr).await.expect("connects");
    let Some(ConnEvent::Opened { conn, .. }) = events.recv().await else {
        panic!("not opened");
    };
    let mut second = TcpStream::connect(addr).await.expect("connects");
    let event = events.recv().await;
    assert!(matches!(event, Some(ConnEvent::InboundRejected { .. })));
    assert!(second.read_u8().await.is_err());
    drop(conn);
    let event = events.recv().await;
    assert!(matches!(event, Some(ConnEvent::Closed { .. })));
    let _third = TcpStream::connect(addr).await.expect("connects");
    let event = events.recv().await;
    assert!(matches!(event, Some(ConnEvent::Opened { .. })));
    drop(event);
    handle.stop().await;
    assert!(TcpStream::connect(addr).await.is_err());
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

/// The filter is asked before the handshake and before the dial.
#[tokio::test(start_paused = true)]
async fn banned_addresses_are_neither_accepted_nor_dialled() {
    let (listener, caller) = memory_listener();
    let (dialer, mut script) = dial_script();
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer)
        .config(explicit_only())
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
}

#[tokio::test(start_paused = true)]
async fn an_accepted_connection_has_an_id_and_ends_with_the_manager() {
    let config = explicit_only().with_drain(Duration::ZERO);
    let (handle, mut events, caller) = listening(config);
    let mut end = caller.call(1).await;
    let conn = opened(&mut events).await;
    assert_eq!(handle.find(1).await.expect("known").id, conn.id());
    handle.stop().await;
    assert!(matches!(closed(&mut events).await, (id, CloseReason::Shutdown) if id == conn.id()));
    assert!(at_end(&mut end).await);
}

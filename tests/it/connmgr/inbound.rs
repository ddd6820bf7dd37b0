//! Accepted connections: which are rejected, and how they end.

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
async fn the_end_is_reported_however_the_owner_ended() {
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
async fn a_stopped_manager_no_longer_listens() {
    use peermux::connmgr::TcpDialer;
    use tokio::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let builder = ConnManager::builder(TcpDialer).config(explicit_only());
    let (handle, mut events) = start(builder.listener(listener));
    let mut first = TcpStream::connect(addr).await.expect("connects");
    let event = events.recv().await;
    assert!(matches!(event, Some(ConnEvent::Opened { .. })));
    drop(event);
    assert!(first.read_u8().await.is_err());
    let event = events.recv().await;
    assert!(matches!(event, Some(ConnEvent::Closed { .. })));
    handle.stop().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

/// A filter that refuses one number.
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

/// The filter is called before the handshake of an accepted connection, and before a dial.
#[tokio::test(start_paused = true)]
async fn banned_addresses_are_neither_accepted_nor_dialled() {
    let (listener, caller) = memory_listener();
    let (dialer, mut script) = dial_script();
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer)
        .config(explicit_only())
        .filter(Ban(666));
    let (handle, mut events) = start(builder.listener(listener));
    let mut banned = caller.call(666).await;
    assert_eq!(rejected(&mut events).await, (666, Refusal::Banned));
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
    drop(conn);
    assert!(at_end(&mut end).await);
}

use peermux::connmgr::{Kind, Refusal};
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

// TestInboundLimit. That a slot is freed once is a matter of ownership.
#[tokio::test(start_paused = true)]
async fn inbound_slots() {
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

// TestInboundLimitDisabled
#[tokio::test(start_paused = true)]
async fn inbound_zero() {
    let (_handle, mut events, caller) = listening(explicit_only().with_max_inbound(0));
    let mut end = caller.call(1).await;
    let none = Refusal::LimitReached { limit: 0 };
    assert_eq!(rejected(&mut events).await, (1, none));
    assert!(at_end(&mut end).await);
    quiet(&mut events, MINUTE).await;
}

// TestInboundLimitConcurrent
#[tokio::test]
async fn inbound_race() {
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

// TestListeners
#[tokio::test(start_paused = true)]
async fn listeners() {
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

// TestListenerInboundLimit, on real sockets.
#[tokio::test]
async fn listener_limit() {
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

use peermux::connmgr::{Filter, Kind, Refusal};
use peermux::testing::memory_listener;

use super::*;

async fn rejected(events: &mut Events) -> (u32, Refusal) {
    match next(events).await {
        ConnEvent::InboundRejected { addr, cause } => (addr, cause),
        other => panic!("{other:?}"),
    }
}

/// Lets nobody in who comes from an odd address.
struct EvenOnly;

impl Filter<u32> for EvenOnly {
    fn accept(&self, addr: &u32) -> Result<(), Refusal> {
        match addr % 2 {
            0 => Ok(()),
            _ => Err(Refusal::Banned),
        }
    }

    fn dial(&self, _: &Candidate<u32>) -> Result<(), Refusal> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_connection_that_the_filter_refuses_is_closed_and_reported() {
    let (listener, caller) = memory_listener();
    let builder = ConnManager::builder(open_dialer()).config(explicit_only());
    let (_handle, mut events) = start(builder.filter(EvenOnly).listener(listener));
    let mut end = caller.call(1).await;
    assert_eq!(rejected(&mut events).await, (1, Refusal::Banned));
    assert!(at_end(&mut end).await);
    let _end = caller.call(2).await;
    assert_eq!(opened(&mut events).await.addr(), &2);
}

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

#[tokio::test]
async fn a_stopped_manager_listens_no_more() {
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

//! Ports that a router maps to a server.

use std::collections::VecDeque;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use peermux::NodeRecord;
use peermux::server::{Gateway, GatewayError, Nat, PortMapping, PortProtocol, PortRequest};
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;

const IP: [u8; 4] = [9, 8, 7, 6];
const LEASE: Duration = Duration::from_secs(20 * 60);

/// What the router does next instead of its usual behaviour.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Refuses,
    Panics,
    Hangs,
}

#[derive(Debug)]
struct State {
    start: Instant,
    ip: IpAddr,
    lease: Option<Duration>,
    turns: VecDeque<Turn>,
    /// How many times the router's address was requested.
    checks: usize,
    /// When a mapping was requested, in seconds from the start.
    asked: Vec<u64>,
    mapped: Option<PortRequest>,
}

/// A router that the server uses and the test controls.
#[derive(Debug, Clone)]
struct Router(Arc<Mutex<State>>);

impl Router {
    fn new(ip: impl Into<IpAddr>) -> Self {
        Self(Arc::new(Mutex::new(State {
            start: Instant::now(),
            ip: ip.into(),
            lease: Some(LEASE),
            turns: VecDeque::new(),
            checks: 0,
            asked: Vec::new(),
            mapped: None,
        })))
    }

    fn with<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.0.lock().unwrap())
    }

    fn asked(&self) -> Vec<u64> {
        self.with(|state| state.asked.clone())
    }

    fn mapped(&self) -> Option<PortRequest> {
        self.with(|state| state.mapped)
    }
}

impl Gateway for Router {
    async fn map(&mut self, port: PortRequest) -> Result<PortMapping, GatewayError> {
        let turn = self.with(|state| {
            state.asked.push(state.start.elapsed().as_secs());
            state.turns.pop_front()
        });
        match turn {
            None => {}
            Some(Turn::Refuses) => return Err(GatewayError::Other("no".into())),
            Some(Turn::Panics) => panic!("a panic in a test"),
            Some(Turn::Hangs) => pending().await,
        }
        Ok(self.with(|state| {
            let external = SocketAddr::new(state.ip, 4000);
            let lease = state.lease;
            state.mapped = Some(port);
            PortMapping { external, lease }
        }))
    }

    async fn unmap(&mut self, port: PortRequest) -> Result<(), GatewayError> {
        assert_eq!(port.external, 4000);
        if let Some(Turn::Hangs) = self.with(|state| state.turns.pop_front()) {
            pending::<()>().await;
        }
        self.with(|state| state.mapped = None);
        Ok(())
    }

    async fn external_ip(&mut self) -> Result<IpAddr, GatewayError> {
        Ok(self.with(|state| {
            state.checks += 1;
            state.ip
        }))
    }
}

async fn behind(router: &Router) -> Server {
    let builder = Server::builder(key()).listen("127.0.0.1:0".parse().unwrap());
    let builder = builder.gateway(router.clone());
    builder.start().await.expect("starts")
}

async fn next_record(records: &mut watch::Receiver<NodeRecord>) -> String {
    let changed = timeout(LONG * 1000, records.changed()).await;
    changed.expect("in time").expect("the server runs");
    let enode = records.borrow_and_update().to_enode().to_string();
    enode.split_once('@').expect("an address").1.to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_mapped_port_is_in_the_record_and_is_unmapped_at_the_end() {
    let router = Router::new(IP);
    let server = behind(&router).await;
    let mut records = server.watch_record();
    assert_eq!(next_record(&mut records).await, "9.8.7.6:4000?discport=0");
    let asked = router.mapped().expect("it is mapped");
    assert_eq!(asked.protocol, PortProtocol::Tcp);
    assert_eq!(Some(asked.local), server.local_addr());
    assert_eq!((asked.external, asked.lease), (asked.local.port(), LEASE));
    assert_eq!(server.record().to_enode(), server.enode());
    server.shutdown(LONG).await.expect("in time");
    assert_eq!(router.mapped(), None);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_is_renewed_before_its_lease_ends() {
    let router = Router::new(IP);
    let server = behind(&router).await;
    tokio::time::sleep_until(Instant::now() + LEASE * 2 + SECOND).await;
    assert_eq!(router.asked(), [0, 600, 1200, 1800, 2400]);
    let renewed = router.mapped().expect("it is mapped");
    assert_eq!(renewed.external, 4000, "the port of the mapping");
    assert_eq!(server.record().get("tcp"), Some(4000u16));
    assert!(router.with(|state| state.checks) > 10);
}

#[tokio::test(start_paused = true)]
async fn a_new_address_of_the_router_is_noticed() {
    let router = Router::new(IP);
    let server = behind(&router).await;
    let mut records = server.watch_record();
    next_record(&mut records).await;
    let before = Instant::now();
    router.with(|state| state.ip = [9, 8, 7, 5].into());
    assert_eq!(next_record(&mut records).await, "9.8.7.5:4000?discport=0");
    assert!(before.elapsed() <= Duration::from_secs(120));
    // A router's address is not used if others cannot dial it.
    for hidden in [[192, 168, 0, 1], [100, 64, 0, 1], [0, 0, 0, 0]] {
        router.with(|state| state.ip = hidden.into());
        let local = server.local_addr().expect("it listens");
        assert_eq!(
            next_record(&mut records).await,
            format!("{local}?discport=0")
        );
        assert!(router.mapped().is_some(), "it may become public");
        router.with(|state| state.ip = IP.into());
        assert_eq!(next_record(&mut records).await, "9.8.7.6:4000?discport=0");
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_that_fails_is_asked_again_and_the_server_continues() {
    let router = Router::new(IP);
    let turns = [Turn::Refuses, Turn::Panics, Turn::Hangs, Turn::Refuses];
    router.with(|state| state.turns = turns.into());
    let server = behind(&router).await;
    assert_eq!(
        next_record(&mut server.watch_record()).await,
        "9.8.7.6:4000?discport=0"
    );
    // The request that hung took 30 s.
    assert_eq!(router.asked(), [0, 15, 45, 135, 255]);
    router.with(|state| state.turns = vec![Turn::Refuses; 100].into());
    let mut records = server.watch_record();
    let local = server.local_addr().expect("it listens");
    // The lease of the mapping has expired.
    assert_eq!(
        next_record(&mut records).await,
        format!("{local}?discport=0")
    );
    assert_eq!(
        router.with(|state| state.start.elapsed()).as_secs(),
        255 + 1200
    );
    server.shutdown(LONG).await.expect("it has not failed");
}

#[tokio::test(start_paused = true)]
async fn a_silent_router_delays_the_end_of_a_server_by_at_most_two_seconds() {
    let router = Router::new(IP);
    let server = behind(&router).await;
    next_record(&mut server.watch_record()).await;
    router.with(|state| state.turns = [Turn::Hangs].into());
    let before = Instant::now();
    server.shutdown(LONG).await.expect("in time");
    assert_eq!(before.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_unmapped_that_was_not_mapped() {
    let router = Router::new(IP);
    router.with(|state| state.turns = [Turn::Refuses, Turn::Hangs].into());
    let server = behind(&router).await;
    let waiting = async {
        while router.asked().len() < 2 {
            tokio::task::yield_now().await;
            tokio::time::advance(SECOND).await;
        }
    };
    timeout(LONG, waiting)
        .await
        .expect("a mapping is requested");
    let before = Instant::now();
    server.shutdown(LONG).await.expect("in time");
    assert_eq!(before.elapsed().as_secs(), 0, "in the midst of a request");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_listen_asks_for_nothing() {
    let router = Router::new(IP);
    let builder = Server::builder(key()).gateway(router.clone());
    let server = builder.start().await.expect("starts");
    tokio::time::sleep(LONG).await;
    assert_eq!(router.asked(), [] as [u64; 0]);
    server.shutdown(LONG).await.expect("it has not failed");
}

#[tokio::test]
async fn the_address_that_the_user_knows_has_the_port_of_the_listener() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let nat: Nat = "extip:9.8.7.6".parse().unwrap();
    let builder = Server::builder(key()).listen(listen).nat(nat);
    let server = builder.start().await.expect("starts");
    let port = server.local_addr().expect("it listens").port();
    let at = format!("9.8.7.6:{port}?discport=0");
    assert!(server.enode().to_string().ends_with(&at));
    assert_eq!(server.record().get("tcp"), Some(port));
}

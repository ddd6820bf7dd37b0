//! Runs a node that only dials, for days of virtual time, in a changing network.

#![cfg(feature = "addrbook")]

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, sleep_until};

use super::NodeAddr;
use super::source::{Mixed, Remembered, nodes_of};
use crate::addrbook::{AddressBook, AddressBookConfig, MemoryStore, SteadyClock};
use crate::connmgr::{
    AddressSource, ConnEvent, ConnEvents, ConnManager, ConnectError, DialFilter, Dialer, Lease,
    Reconnect,
};
use crate::mutex::Mutex;
use crate::node::{Enode, NodeId, SecretKey};
use crate::server::ServerConfig;
use crate::server::checks::NodeStore;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

const NODES: usize = 500;

/// The number of /16 networks of the nodes.
const NETWORKS: u32 = 400;

const TARGET: usize = 50;

/// A tenth of the nodes leave within an hour, each at its own time.
const LEAVES_EVERY: Duration = Duration::from_secs(3600 * 10 / NODES as u64);

/// How long it may take to fill all seats for the first time.
const WARM_UP: Duration = Duration::from_secs(600);

/// All nodes except the one that dials.
struct Network {
    rng: StdRng,
    alive: Vec<Enode>,
    /// The nodes that left most recently, which others still announce.
    gone: Vec<Enode>,
    keys: u32,
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut network = Self {
            rng: StdRng::seed_from_u64(seed),
            alive: Vec::new(),
            gone: Vec::new(),
            keys: 0,
        };
        (0..NODES).for_each(|_| network.join());
        network
    }

    fn join(&mut self) {
        self.keys += 1;
        let mut bytes = [0x5a; 32];
        bytes[..4].copy_from_slice(&self.keys.to_be_bytes());
        let key = SecretKey::from_bytes(&bytes).unwrap().public_key();
        let [_, _, a, b] = self.rng.random_range(0..NETWORKS).to_be_bytes();
        let addr = SocketAddr::from(([20 + a, b, self.rng.random(), self.rng.random()], 30_303));
        self.alive.push(Enode::new(key, addr));
    }

    /// Replaces a node by a new one.
    fn churn(&mut self) -> NodeId {
        let at = self.rng.random_range(0..self.alive.len());
        let left = self.alive.swap_remove(at);
        let id = left.node_id();
        self.gone.push(left);
        if self.gone.len() > NODES / 10 {
            self.gone.remove(0);
        }
        self.join();
        id
    }

    fn is_alive(&self, id: &NodeId) -> bool {
        self.alive.iter().any(|node| node.node_id() == *id)
    }

    /// Returns a node that others announce; one in five has left.
    fn rumour(&mut self) -> Enode {
        let nodes = if !self.gone.is_empty() && self.rng.random_ratio(1, 5) {
            &self.gone
        } else {
            &self.alive
        };
        nodes.choose(&mut self.rng).cloned().unwrap()
    }

    fn pause(&mut self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(millis))
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Network>>);

impl Dialer for Shared {
    type Addr = NodeAddr;
    type Io = ();

    async fn dial(&self, addr: &NodeAddr) -> Result<(), ConnectError> {
        let NodeAddr::Node(node) = addr else {
            return Err(ConnectError::Broken);
        };
        let (delay, alive, silent) = {
            let mut network = self.0.lock();
            let alive = network.is_alive(&node.node_id());
            (network.pause(20..400), alive, network.rng.random())
        };
        sleep(delay).await;
        match (alive, silent) {
            (true, _) => Ok(()),
            (false, true) => pending().await,
            (false, false) => Err(ConnectError::Refused),
        }
    }
}

/// A source like discovery: lookups take a while, and most nodes are alive.
struct Discovered(Shared);

impl AddressSource<Enode> for Discovered {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let lookup = self.0.0.lock().pause(200..1500);
        sleep(lookup).await;
        let mut network = self.0.0.lock();
        let found = std::iter::repeat_with(|| network.rumour());
        found.take(64).find(|node| wanted.allows(node))
    }
}

/// A source like a DNS list. The list is updated every six hours, so that some of its nodes have
/// left.
struct Listed {
    network: Shared,
    list: Vec<Enode>,
    until: Instant,
}

impl AddressSource<Enode> for Listed {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let mut network = self.network.0.lock();
        let now = Instant::now();
        if now >= self.until {
            let list = network.alive.iter().take(NODES / 3);
            self.list = list.cloned().collect();
            self.until = now + 6 * HOUR;
        }
        let tries: Vec<_> = self.list.sample(&mut network.rng, 64).collect();
        tries.into_iter().find(|node| wanted.allows(node)).cloned()
    }
}

/// Handles connections like the server, and reports each outcome to the store.
///
/// Half of the connections are rejected, as if the remote had no free seat.
struct Connections {
    network: Shared,
    book: AddressBook,
    events: ConnEvents<NodeAddr, ()>,
    leases: BTreeMap<NodeId, Lease<NodeAddr>>,
}

impl Connections {
    async fn next(&mut self) {
        let store: &dyn NodeStore = &self.book;
        match self.events.recv().await.expect("the manager runs") {
            ConnEvent::Opened { lease, .. } => {
                let NodeAddr::Node(node) = lease.addr().clone() else {
                    panic!("nobody comes");
                };
                store.dial_succeeded();
                store.good(&node);
                let mut network = self.network.0.lock();
                if network.rng.random() {
                    lease.close(ConnectError::Refused, Reconnect::ByKind);
                } else if network.is_alive(&node.node_id()) {
                    self.leases.insert(node.node_id(), lease);
                }
            }
            ConnEvent::DialFailed { addr, .. } => {
                let NodeAddr::Node(node) = addr else {
                    panic!("nobody comes");
                };
                store.failed(&node.node_id());
            }
            _ => {}
        }
    }
}

async fn start(network: &Shared) -> Connections {
    let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 20_000 * DAY);
    let config = AddressBookConfig::default().with_seed(Some(2));
    let loaded = AddressBook::load(MemoryStore::default(), config, clock).await;
    let (book, _) = loaded.unwrap();
    let listed = Listed {
        network: network.clone(),
        list: Vec::new(),
        until: Instant::now(),
    };
    let sources = vec![
        nodes_of(Remembered(Arc::new(book.clone()))),
        nodes_of(Discovered(network.clone())),
        nodes_of(listed),
    ];
    let manager = ConnManager::builder(network.clone())
        .config(ServerConfig::default().connections(TARGET))
        .source(Mixed::new(sources, DialFilter::new(|_| true)))
        .seed(3);
    let (manager, handle, events) = manager.build().unwrap();
    tokio::spawn(async move {
        let _handle = handle;
        manager.run().await;
    });
    Connections {
        network: network.clone(),
        book,
        events,
        leases: BTreeMap::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_keeps_its_peers_for_days_while_nodes_come_and_go() {
    let network = Shared(Arc::new(Mutex::new(Network::new(1))));
    let mut connections = start(&network).await;
    let begin = Instant::now();
    let (mut leaves, mut kept) = (begin, begin);
    let (mut least, mut short) = (TARGET, Duration::ZERO);
    while begin.elapsed() < 3 * DAY {
        let before = Instant::now();
        tokio::select! {
            // The branches are polled in a fixed order, so that runs are reproducible.
            biased;
            () = sleep_until(leaves) => {
                let mut network = network.0.lock();
                let wait = network.pause(0..2 * LEAVES_EVERY.as_millis() as u64);
                leaves += wait;
                let left = network.churn();
                drop(connections.leases.remove(&left));
            }
            () = sleep_until(kept) => {
                kept += Duration::from_secs(30);
                let store: &dyn NodeStore = &connections.book;
                let node = network.0.lock().rumour();
                store.discovered(&node);
            }
            () = connections.next() => {}
        }
        if begin.elapsed() > WARM_UP {
            let peers = connections.leases.len();
            least = least.min(peers);
            if peers < TARGET {
                short += before.elapsed();
            }
        }
    }
    println!("{least} peers of {TARGET} at least; fewer than all for {short:?} of three days");
    assert!(least >= 45, "{least} peers");
}

//! How long 1,000 nodes need to form a mesh in a simulated network.
//!
//! The benchmark measures this time three times: from the start, after a third of the nodes is
//! killed, and after that third is back. It also counts the dials per node.
//!
//! Run it with `cargo bench --bench mesh`. The nodes are whole servers with their default pace, the
//! streams are in memory, and the clock is virtual. Each node dials eight others. The mesh is
//! complete when each node has dialled eight others and both ends know each connection.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark has no caller to hand errors to"
)]

#[path = "../tests/mesh/net.rs"]
mod net;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peermux::connmgr::{ConnectError, Dialer};
use peermux::testing::{Caller, memory_listener};
use peermux::{Endpoint, Enode, SecretKey};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep};

use net::{Mesh, TARGET};

const NODES: u16 = 1000;
const KILLED: usize = 333;
/// The duration of a dial in the simulated network.
const ROUND_TRIP: Duration = Duration::from_millis(100);
/// How often to check whether the mesh is complete.
const LOOK: Duration = Duration::from_millis(100);
/// The time limit, which only a mesh that never completes exceeds.
const LIMIT: Duration = Duration::from_secs(3600);

/// The listening nodes by address.
#[derive(Clone, Default)]
struct Network {
    listeners: Arc<Mutex<HashMap<SocketAddr, Caller<SocketAddr>>>>,
    dials: Arc<AtomicU64>,
}

/// A dialer in the network, which dials from one address.
struct From {
    own: SocketAddr,
    network: Network,
}

impl Dialer for From {
    type Addr = Enode;
    type Io = DuplexStream;

    async fn dial(&self, node: &Enode) -> Result<DuplexStream, ConnectError> {
        self.network.dials.fetch_add(1, Ordering::Relaxed);
        sleep(ROUND_TRIP).await;
        let addr = node.endpoint().and_then(Endpoint::socket_addr).unwrap();
        let caller = self.network.listeners.lock().unwrap().get(&addr).cloned();
        match caller {
            Some(caller) => Ok(caller.call(self.own).await),
            None => Err(ConnectError::Refused),
        }
    }
}

/// Returns the address of a node. The addresses are in different IP networks.
fn addr(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([20 + high, low, 1, 1], 30303))
}

async fn start(mesh: &mut Mesh, network: &Network, key: &SecretKey, number: u16) {
    let own = addr(number);
    let (listener, caller) = memory_listener();
    network.listeners.lock().unwrap().insert(own, caller);
    let network = network.clone();
    let builder = mesh.node(key.clone()).dialer(From { own, network });
    let server = builder.listener(listener).start().await.expect("starts");
    mesh.add(server, Enode::new(key.public_key(), own));
}

/// Waits for the mesh and prints a line of the table.
async fn meshes(mesh: &Mesh, network: &Network, what: &str) {
    let (since, real) = (Instant::now(), real_time());
    network.dials.store(0, Ordering::Relaxed);
    while !mesh.is_complete() {
        sleep(LOOK).await;
        assert!(since.elapsed() < LIMIT, "no mesh");
    }
    let dials = network.dials.load(Ordering::Relaxed) as f64 / mesh.servers.len() as f64;
    let (took, real) = (since.elapsed().as_secs_f64(), real_time() - real);
    let nodes = mesh.servers.len();
    println!(
        "{what:<10} {nodes:>5} {took:>14.1} {dials:>15.2} {:>11.1}",
        real.as_secs_f64()
    );
}

#[expect(clippy::disallowed_methods, reason = "tokio's clock is virtual here")]
fn real_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        println!("{NODES} nodes, each dials {TARGET}");
        println!("           nodes  virtual time/s  dials per node  real time/s");
        let (mut mesh, network) = (Mesh::default(), Network::default());
        let keys: Vec<_> = (0..NODES)
            .map(|number| (SecretKey::generate(), number))
            .collect();
        for (key, number) in &keys {
            start(&mut mesh, &network, key, *number).await;
        }
        meshes(&mesh, &network, "started").await;
        let third = &keys[..KILLED];
        for (key, number) in third {
            network.listeners.lock().unwrap().remove(&addr(*number));
            mesh.kill(&key.public_key().node_id());
        }
        meshes(&mesh, &network, "killed").await;
        for (key, number) in third {
            start(&mut mesh, &network, key, *number).await;
        }
        meshes(&mesh, &network, "restarted").await;
    });
}

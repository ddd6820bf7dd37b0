//! Fifty nodes in one process mesh over loopback, lose a third of them, and mesh again.
//!
//! It stands alone, because it counts the open files of its process and the tasks of its runtime.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in helper functions too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use peermux::server::{NodeSource, Wanted};
use peermux::{Direction, Enode, NodeId, Peer, Protocol, SecretKey, Server};
use rand::seq::SliceRandom;
use tokio::sync::watch;
use tokio::time::timeout;

const NODES: usize = 50;
const TARGET: usize = 8;
/// Far longer than it takes; a mesh that never comes about fails by it.
const LIMIT: Duration = Duration::from_secs(120);

/// All nodes that are up.
#[derive(Clone, Default)]
struct Directory(Arc<Mutex<BTreeMap<NodeId, Enode>>>);

/// Offers everybody in the directory, in random order.
impl NodeSource for Directory {
    async fn next(&mut self, wanted: &Wanted) -> Option<Enode> {
        let mut all: Vec<_> = self.0.lock().unwrap().values().cloned().collect();
        all.shuffle(&mut rand::rng());
        all.into_iter().find(|node| wanted.allows(node))
    }
}

struct Mesh {
    directory: Directory,
    servers: BTreeMap<NodeId, Server>,
    /// Changes with everything that happens to any peer.
    happened: Arc<watch::Sender<()>>,
}

impl Mesh {
    async fn start(&mut self, key: SecretKey) {
        let idle = Protocol::builder("mesh", 1, 1).run(|peer, _conn| async move {
            peer.ending().await;
            Ok(())
        });
        // A third of the places is kept for dialled peers.
        let server = Server::builder(key)
            .protocol(idle)
            .listen("127.0.0.1:0".parse().unwrap())
            .max_peers(3 * TARGET)
            .source(self.directory.clone())
            .configure(|config| {
                config.dial_burst = 100;
                config.dials_per_second = 100;
                config.redial_gap = Duration::from_millis(100);
                config.retry_min = Duration::from_millis(50);
                config.retry_max = Duration::from_millis(500);
            })
            .start()
            .await
            .expect("starts");
        let (mut feed, happened) = (server.subscribe(), Arc::clone(&self.happened));
        tokio::spawn(async move {
            // A lost event is a happening too.
            while !matches!(
                feed.recv().await,
                Err(tokio::sync::broadcast::error::RecvError::Closed)
            ) {
                happened.send_replace(());
            }
        });
        let mut directory = self.directory.0.lock().unwrap();
        directory.insert(server.id(), server.enode());
        self.servers.insert(server.id(), server);
    }

    /// Whether everybody has dialled as many as wanted, and both sides know of each connection.
    fn is_complete(&self) -> bool {
        let peers =
            |server: &Server| -> BTreeSet<NodeId> { server.peers().iter().map(Peer::id).collect() };
        let dialled = |server: &Server| {
            let peers = server.peers();
            let dialled = peers
                .iter()
                .filter(|p| p.direction() == Direction::Outbound);
            dialled.count()
        };
        self.servers.values().all(|server| {
            let known = peers(server);
            // No node twice, nobody who is gone, and each connection with two ends.
            known.len() == server.peer_count()
                && dialled(server) == TARGET
                && known.iter().all(|id| {
                    let other = self.servers.get(id);
                    other.is_some_and(|other| other.peer(&server.id()).is_some())
                })
        })
    }

    async fn meshes(&self) {
        let mut happened = self.happened.subscribe();
        let complete = async {
            while !self.is_complete() {
                happened.changed().await.expect("the mesh lives");
            }
        };
        if timeout(LIMIT, complete).await.is_err() {
            panic!("no mesh: {:#?}", self.servers.values());
        }
    }
}

fn open_files() -> usize {
    let files = std::fs::read_dir("/proc/self/fd");
    files.map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_nodes_mesh_survive_the_loss_of_a_third_and_leave_nothing() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = (open_files(), metrics.num_alive_tasks());
    let mut mesh = Mesh {
        directory: Directory::default(),
        servers: BTreeMap::new(),
        happened: Arc::new(watch::channel(()).0),
    };
    let keys: Vec<_> = (0..NODES).map(|_| SecretKey::generate()).collect();
    for key in &keys {
        mesh.start(key.clone()).await;
    }
    mesh.meshes().await;

    let third: Vec<_> = keys.iter().take(NODES / 3).collect();
    for key in &third {
        let id = key.public_key().node_id();
        mesh.directory.0.lock().unwrap().remove(&id);
        // Dropped without a word to anybody.
        drop(mesh.servers.remove(&id));
    }
    mesh.meshes().await;
    for key in third {
        mesh.start(key.clone()).await;
    }
    mesh.meshes().await;

    let ended = join_all(mesh.servers.values().map(|server| server.shutdown(LIMIT))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    drop(mesh);
    let quiet = async {
        // The forwarders of events end when their servers are dropped, at the next turn.
        while metrics.num_alive_tasks() > before.1 {
            tokio::task::yield_now().await;
        }
    };
    let quiet = timeout(LIMIT, quiet).await;
    assert!(
        quiet.is_ok(),
        "{} tasks are left",
        metrics.num_alive_tasks()
    );
    assert_eq!(open_files(), before.0, "sockets are left");
}

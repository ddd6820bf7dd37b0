//! Fifty nodes form a mesh over loopback, lose a third, and form it again.
//!
//! The nodes share one process. This test is its own binary, because it counts the open files of
//! the process and the tasks of the runtime.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in helper functions too"
)]

mod net;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use peermux::SecretKey;
use peermux::connmgr::{Backoff, Rate};
use tokio::sync::watch;
use tokio::time::timeout;

use net::Mesh;

const NODES: usize = 50;
/// The time limit, far longer than needed: only a mesh that never completes exceeds it.
const LIMIT: Duration = Duration::from_secs(120);

/// A mesh that notifies the test of changes.
struct Watched {
    mesh: Mesh,
    /// Is notified of every event of every node's peers.
    happened: Arc<watch::Sender<()>>,
}

impl Watched {
    async fn start(&mut self, key: SecretKey) {
        let builder = self.mesh.node(key).listen("127.0.0.1:0".parse().unwrap());
        let builder = builder.configure(|config| {
            let backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(500));
            config
                .with_dial_rate(Rate::new(100, 100))
                .with_redial_gap(Duration::from_millis(100))
                .with_backoff(backoff)
        });
        let server = builder.start().await.expect("starts");
        let (mut feed, happened) = (server.subscribe(), Arc::clone(&self.happened));
        tokio::spawn(async move {
            // A report of lost events is a change, too.
            while feed.recv().await.is_some() {
                happened.send_replace(());
            }
        });
        let enode = server.enode();
        self.mesh.add(server, enode);
    }

    async fn meshes(&self) {
        let mut happened = self.happened.subscribe();
        let complete = async {
            while !self.mesh.is_complete() {
                happened.changed().await.expect("the mesh lives");
            }
        };
        if timeout(LIMIT, complete).await.is_err() {
            panic!("no mesh: {:#?}", self.mesh.servers.values());
        }
    }
}

fn open_files() -> usize {
    let files = std::fs::read_dir("/proc/self/fd");
    files.map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_nodes_form_a_mesh_survive_the_loss_of_a_third_and_leave_nothing() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = (open_files(), metrics.num_alive_tasks());
    let mut mesh = Watched {
        mesh: Mesh::default(),
        happened: Arc::new(watch::channel(()).0),
    };
    let keys: Vec<_> = (0..NODES).map(|_| SecretKey::generate()).collect();
    for key in &keys {
        mesh.start(key.clone()).await;
    }
    mesh.meshes().await;

    let third: Vec<_> = keys.iter().take(NODES / 3).collect();
    for key in &third {
        mesh.mesh.kill(&key.public_key().node_id());
    }
    mesh.meshes().await;
    for key in third {
        mesh.start(key.clone()).await;
    }
    mesh.meshes().await;

    let servers = mesh.mesh.servers.values();
    let ended = join_all(servers.map(|server| server.shutdown(LIMIT))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    drop(mesh);
    let quiet = async {
        // The tasks that forward events end shortly after their servers are dropped.
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

//! Nodes that a store wants probed.

use std::sync::{Arc, Mutex};

use peermux::connmgr::{ConnectError as RawError, Dialer};
use peermux::server::NodeStore;
use peermux::transport::Generic;
use peermux::{DisconnectReason, NodeId};
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;

use super::*;

/// A store with one node to probe. It keeps the reports that it receives.
#[derive(Debug, Clone, Default)]
struct Doubtful {
    doubted: Arc<Mutex<Option<Enode>>>,
    candidates: Arc<Mutex<Vec<Enode>>>,
    told: Arc<Mutex<Vec<(&'static str, NodeId)>>>,
}

impl Doubtful {
    fn doubt(&self, node: &Enode) {
        *self.doubted.lock().unwrap() = Some(node.clone());
    }

    fn told(&self) -> Vec<(&'static str, NodeId)> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl NodeStore for Doubtful {
    fn draw(&self, most: usize) -> Vec<Enode> {
        let candidates = self.candidates.lock().unwrap();
        candidates.iter().take(most).cloned().collect()
    }

    fn probe(&self) -> Option<Enode> {
        self.doubted.lock().unwrap().clone()
    }

    fn good(&self, node: &Enode) {
        self.told.lock().unwrap().push(("good", node.node_id()));
    }

    fn failed(&self, node: &NodeId) {
        self.told.lock().unwrap().push(("failed", *node));
    }
}

/// A dialer that connects to a different address from the given one. This can happen with a name.
struct Astray;

impl Dialer for Astray {
    type Addr = Enode;
    type Io = Generic<DuplexStream>;

    async fn dial(&self, _: &Enode) -> Result<Self::Io, RawError> {
        let elsewhere = "20.2.1.1:1".parse().unwrap();
        Ok(Generic::with_addresses(duplex(64).0, elsewhere, elsewhere))
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubted_node_outside_the_permitted_networks_is_not_contacted() {
    let store = Doubtful::default();
    store.doubt(&stranger(&public(1)));
    let builder = Server::builder(key()).dialer(Astray);
    let builder =
        builder.configure(|config| config.with_net_restrict(Some("20.1.0.0/16".parse().unwrap())));
    let _server = builder.node_store(store.clone()).start().await.unwrap();
    tokio::time::sleep(10 * INTERVAL).await;
    assert_eq!(store.told(), []);
}

const INTERVAL: Duration = Duration::from_secs(120);

#[tokio::test(start_paused = true)]
async fn a_doubted_node_that_answers_is_good_and_no_peer() {
    let store = Doubtful::default();
    let (builder, mut script) = scripted();
    let server = builder.node_store(store.clone()).start().await.unwrap();
    let remote = remote().await;
    let mut feed = remote.subscribe_connections();
    no_dial(&mut script, 10 * INTERVAL).await;

    let node = at(&remote, &public(1));
    store.doubt(&node);
    let since = Instant::now();
    let probe = next_dial(&mut script).await;
    assert_eq!(*probe.addr(), node);
    assert!(since.elapsed() <= 3 * INTERVAL);
    let accepted = remote.accept_over(probe.succeed()).await.unwrap();
    let outcome = accepted.ended().await.expect("it disconnects");
    assert_eq!(outcome.error.reason(), Some(DisconnectReason::REQUESTED));
    assert_eq!(server.peer_count(), 0);
    assert_eq!(store.told(), [("good", remote.id())]);
    assert!(feed.try_recv().is_none(), "nothing went wrong");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_a_probe_also_counts_as_there() {
    let store = Doubtful::default();
    let (builder, mut script) = scripted();
    let _server = builder.node_store(store.clone()).start().await.unwrap();
    let full = Server::builder(key())
        .protocol(idle("test"))
        .configure(|config| config.with_max_peers(0));
    let full = full.start().await.unwrap();
    store.doubt(&at(&full, &public(1)));
    let probe = next_dial(&mut script).await;
    full.accept_over(probe.succeed()).await.unwrap_err();
    next_dial(&mut script).await;
    assert_eq!(store.told(), [("good", full.id())]);
}

#[tokio::test(start_paused = true)]
async fn a_doubted_node_that_does_not_answer_has_failed() {
    let store = Doubtful::default();
    let (builder, mut script) = scripted();
    let _server = builder.node_store(store.clone()).start().await.unwrap();
    let nobody = stranger(&public(1));
    store.doubt(&nobody);
    next_dial(&mut script).await.fail(RawError::Refused);
    // A dial or handshake without an answer ends by its deadline.
    let silent = next_dial(&mut script).await;
    let again = next_dial(&mut script).await;
    drop(silent);
    let _stream = again.succeed();
    next_dial(&mut script).await;
    assert_eq!(store.told(), [("failed", nobody.node_id()); 3]);
}

#[tokio::test(start_paused = true)]
async fn one_probe_runs_at_a_time_and_ends_with_the_server() {
    let store = Doubtful::default();
    let (builder, mut script) = scripted();
    let builder = builder.configure(|config| config.with_dial_timeout(LONG));
    let server = builder.node_store(store.clone()).start().await.unwrap();
    store.doubt(&stranger(&public(1)));
    let mut probe = next_dial(&mut script).await;
    no_dial(&mut script, LONG / 2).await;
    let (stopped, ()) = tokio::join!(server.shutdown(SECOND), probe.given_up());
    stopped.unwrap();
    assert_eq!(store.told(), []);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_probed_while_the_network_is_down_or_dials_are_disabled() {
    let store = Doubtful::default();
    let (builder, mut script) = scripted();
    let _server = builder.node_store(store.clone()).start().await.unwrap();
    // After 25 failures in a row, the network counts as down.
    let nobody: Vec<_> = (1..200).map(|number| stranger(&public(number))).collect();
    store.candidates.lock().unwrap().clone_from(&nobody);
    for _ in 0..25 {
        next_dial(&mut script).await.fail(RawError::Refused);
    }
    let doubted = stranger("30.1.1.1:30303");
    store.doubt(&doubted);
    let since = Instant::now();
    while since.elapsed() < LONG {
        let dial = next_dial(&mut script).await;
        assert_ne!(*dial.addr(), doubted);
        dial.fail(RawError::Refused);
    }

    let (builder, mut script) = scripted();
    let builder = builder.configure(|config| config.with_no_dial(true));
    let _server = builder.node_store(store).start().await.unwrap();
    no_dial(&mut script, LONG).await;
}

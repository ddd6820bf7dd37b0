//! A panic in users' code ends only the operation that called it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::server::NodeStore;
use peermux::testing::FnDialer;
use peermux::transport::Transport;
use peermux::{DialError, NodeId};
use tokio::io::DuplexStream;

use super::*;

/// A store that panics at every call, except when asked for a ban.
#[derive(Debug)]
struct Fragile;

impl NodeStore for Fragile {
    fn draw(&self, _: usize) -> Vec<Enode> {
        panic!("draw");
    }

    fn probe(&self) -> Option<Enode> {
        panic!("probe");
    }

    fn dial_succeeded(&self) {
        panic!("dial_succeeded");
    }

    fn good(&self, _: &Enode) {
        panic!("good");
    }

    fn connected(&self, _: &NodeId) {
        panic!("connected");
    }

    fn failed(&self, _: &NodeId) {
        panic!("failed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_store_that_panics_ends_no_connection() {
    let (builder, mut script) = scripted();
    let (server, remote) = (
        builder.node_store(Fragile).start().await.unwrap(),
        remote().await,
    );
    let mut feed = server.subscribe();
    tokio::time::sleep(LONG).await;
    let node = at(&remote, &public(1));
    for _ in 0..2 {
        let (result, ()) = tokio::join!(server.dial(&node), async {
            drop(next_dial(&mut script).await);
        });
        assert!(
            matches!(result, Err(DialError::Connect { .. })),
            "{result:?}"
        );
        let (result, ()) = tokio::join!(server.dial(&node), async {
            reach(next_dial(&mut script).await, &remote);
        });
        let peer = result.unwrap();
        assert_eq!(added(&mut feed).await.id(), remote.id());
        peer.disconnect(peermux::DisconnectReason::REQUESTED);
        assert_eq!(dropped(&mut feed).await.id(), remote.id());
    }
}

/// A store that panics when asked for a ban.
#[derive(Debug)]
struct Speechless;

impl NodeStore for Speechless {
    fn draw(&self, _: usize) -> Vec<Enode> {
        Vec::new()
    }

    fn is_banned(&self, _: &NodeId) -> bool {
        panic!("is_banned");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_is_refused_if_the_ban_check_panics() {
    let (builder, _script) = scripted();
    let server = builder.node_store(Speechless).start().await.unwrap();
    for _ in 0..2 {
        let result = server.dial(&stranger(&public(1))).await;
        assert!(
            matches!(result, Err(DialError::NotAllowed { .. })),
            "{result:?}"
        );
    }
}

/// A store that has one node to probe.
#[derive(Debug)]
struct Doubtful(Enode);

impl NodeStore for Doubtful {
    fn draw(&self, _: usize) -> Vec<Enode> {
        Vec::new()
    }

    fn probe(&self) -> Option<Enode> {
        Some(self.0.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_dialer_that_panics_does_not_end_the_probes() {
    let dials = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dials);
    let dialer = FnDialer::new(move |_: &Enode| {
        count.fetch_add(1, Ordering::Relaxed);
        panic!("a bug in a dialer")
    });
    let builder = Server::builder(key()).dialer(dialer);
    let store = Doubtful(stranger(&public(1)));
    let _server = builder.node_store(store).start().await.unwrap();
    tokio::time::sleep(LONG).await;
    assert!(dials.load(Ordering::Relaxed) >= 3);
}

/// A stream that panics when used.
struct Trap;

impl Transport for Trap {
    type Reader = <DuplexStream as Transport>::Reader;
    type Writer = <DuplexStream as Transport>::Writer;

    fn split(self) -> (Self::Reader, Self::Writer) {
        panic!("a bug in a transport")
    }
}

struct TrapDialer;

impl peermux::connmgr::Dialer for TrapDialer {
    type Addr = Enode;
    type Io = Trap;

    async fn dial(&self, _: &Enode) -> Result<Trap, peermux::connmgr::ConnectError> {
        Ok(Trap)
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_connections_task_answers_the_callers_that_wait_for_it() {
    let server = Server::builder(key())
        .dialer(TrapDialer)
        .start()
        .await
        .unwrap();
    for _ in 0..2 {
        let result = timeout(LONG, server.dial(&stranger(&public(1)))).await;
        let result = result.expect("an answer");
        assert!(
            matches!(result, Err(DialError::GivenUp { .. })),
            "{result:?}"
        );
        assert_eq!(server.peer_count(), 0);
    }
}

//! A peer from its place in the set to its end.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::node_addr::NodeAddr;
use super::shared::Inner;
use crate::connmgr::{Lease, Reconnect};
use crate::driver::PeerDriver;
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerEvent, PeerOutcome};
use crate::transport::Transport;

/// Tells everybody whom a good connection matters to.
pub(crate) fn begin(inner: &Inner, peer: &Peer, lease: Option<&Lease<NodeAddr>>) {
    let memory = &inner.gate.memory;
    memory.connected(&peer.id());
    if let Some(lease) = lease {
        lease.mark_ready();
        if let NodeAddr::Node(node) = lease.addr() {
            memory.good(node);
        }
    }
}

/// Runs a peer. It ends by itself, or when the connection manager does not want it any more.
pub(crate) fn run<T: Transport>(
    inner: Arc<Inner>,
    driver: PeerDriver<T>,
    lease: Option<Lease<NodeAddr>>,
    closing: CancellationToken,
) -> impl Future<Output = ()> + Send {
    let peer = driver.peer().clone();
    let (gate, id) = (Arc::clone(&inner.gate), peer.id());
    // Whoever waits for the end may dial the node again at once.
    let let_go = move |outcome: &Arc<PeerOutcome>| {
        gate.peers.remove(&id);
        if let Some(lease) = lease {
            lease.close(PeerEnded(Arc::clone(outcome)), Reconnect::ByKind);
        }
    };
    // It is large, and lives as long as the peer: there must be one copy of it.
    let driven = Box::pin(Box::new(driver).run_until(let_go));
    async move {
        let unwanted = async {
            closing.cancelled().await;
            peer.disconnect(DisconnectReason::REQUESTED);
            pending::<Infallible>().await
        };
        let outcome = tokio::select! {
            outcome = driven => outcome,
            never = unwanted => match never {},
        };
        inner.gate.memory.connected(&id);
        if inner.gate.peers.is_static(&id) {
            // Only the end needs the room for this.
            Box::pin(inner.static_nodes.disconnected(id)).await;
        }
        inner.events.emit(PeerEvent::Dropped { peer, outcome });
    }
}

/// Why a connection ended that was a peer.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.error)]
struct PeerEnded(Arc<PeerOutcome>);

//! Runs a peer from its seat in the set to its end.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::connmgr::{Lease, Reconnect};
use crate::driver::PeerDriver;
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerError, PeerEvent, PeerOutcome};
use crate::server::checks::Seat;
use crate::server::dial::NodeAddr;
use crate::server::shared::Shared;
use crate::setup::Direction;
use crate::transport::Transport;

/// A peer in the set.
///
/// Dropping this value frees the seat and reports the end, however the task ends.
pub(super) struct Running {
    shared: Arc<Shared>,
    peer: Peer,
    /// `None` once the peer has left the set.
    places: Option<(Seat, Option<Lease<NodeAddr>>)>,
    outcome: Option<Arc<PeerOutcome>>,
}

impl Running {
    /// Reports a new peer as an event, to the store, and to the checks.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        peer: Peer,
        seat: Seat,
        lease: Option<Lease<NodeAddr>>,
    ) -> Self {
        shared.events.emit(PeerEvent::Added { peer: peer.clone() });
        let running = Self {
            shared: Arc::clone(shared),
            peer,
            places: Some((seat, lease)),
            outcome: None,
        };
        if let Some(addr) = running.peer.remote_addr() {
            if running.peer.is_static() || running.peer.is_trusted() {
                shared.checks.known.prove(addr.ip());
            }
            if running.peer.direction() == Direction::Inbound {
                shared.checks.look_for_hidden(addr.ip());
            }
        }
        let store = &shared.checks.store;
        store.connected(&running.peer.id());
        if let Some((_, Some(lease))) = &running.places {
            // The store counts the node as good, although the node may still end the connection
            // right after its Hello. The connection manager judges the connection separately, by
            // its age.
            if let NodeAddr::Node(node) = lease.addr() {
                store.good(&node.reached_at(running.peer.remote_addr()));
            }
        }
        running
    }

    /// Runs the peer until its connection ends or the connection manager closes it.
    pub(super) fn run<T: Transport>(
        self,
        driver: PeerDriver<T>,
        closing: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        let (peer, stopping) = (self.peer.clone(), self.shared.tasks.stopping.clone());
        // `self` is boxed, since the future stores `self` twice.
        let mut running = Box::new(self);
        // A caller that waits for the end may dial the node again at once, so the seat and the
        // lease are freed first.
        let let_go = move |outcome: &Arc<PeerOutcome>| {
            running.leave(outcome);
            running
        };
        // This future is boxed, so that it is not stored twice. The future is large, and lives as
        // long as the peer.
        let driven = Box::pin(Box::new(driver).run_until(let_go));
        async move {
            let unwanted = async {
                closing.cancelled().await;
                // A stopping server has already requested the end, with a deadline.
                if !stopping.is_cancelled() {
                    peer.disconnect(DisconnectReason::REQUESTED);
                }
                pending::<Infallible>().await
            };
            tokio::select! {
                // The end of the peer is polled first, because when it completes, the peer has
                // already left the set.
                biased;
                running = driven => drop(running),
                never = unwanted => match never {},
            }
        }
    }

    fn leave(&mut self, outcome: &Arc<PeerOutcome>) {
        self.outcome = Some(Arc::clone(outcome));
        if let Some((seat, lease)) = self.places.take() {
            // The recording is kept before the seat is freed, so that each node always has either a
            // peer or a recording.
            let recording = self.peer.recording_at(Some(outcome));
            self.shared.recordings.keep(recording);
            if outcome.error.is_misbehaviour() {
                let store = &self.shared.checks.store;
                store.misbehaved(&self.peer.id(), &outcome.error);
            }
            drop(seat);
            if let Some(lease) = lease {
                lease.close(PeerEnded(Arc::clone(outcome)), Reconnect::ByKind);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Arc::new(PeerOutcome {
                error: PeerError::Internal("driver"),
                unsent: 0,
                lifetime: self.peer.lifetime(),
            })
        });
        self.leave(&outcome);
        let (shared, peer) = (&self.shared, self.peer.clone());
        if shared.checks.peers.is_static(&peer.id()) {
            shared.static_nodes.reconsider(peer.id());
        }
        shared.events.emit(PeerEvent::Dropped { peer, outcome });
        shared.checks.store.connected(&self.peer.id());
    }
}

/// Why the connection of a peer ended.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.error)]
struct PeerEnded(Arc<PeerOutcome>);

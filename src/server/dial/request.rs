//! Dials a node for a caller, which waits for the outcome.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::debug;

use super::{NodeAddr, candidate};
use crate::connmgr::{Kind, ManagerError, Reconnect};
use crate::node::{Enode, NodeId, PublicKey};
use crate::p2p::DisconnectReason;
use crate::peer::Peer;
use crate::server::DialError;
use crate::server::connection::Setup;
use crate::server::shared::{Shared, spawn};
use crate::transport::Transport;

/// Connects to a node, or waits for a dial that is already under way.
pub(crate) async fn dial(shared: &Arc<Shared>, node: &Enode) -> Result<Peer, DialError> {
    let peer = connect(shared, node).await;
    peer.map_err(|error| or_connected(shared, error))
}

async fn connect(shared: &Arc<Shared>, node: &Enode) -> Result<Peer, DialError> {
    let id = node.node_id();
    shared.checks.peers.let_end(&id).await;
    if node.tcp_endpoint().is_none() {
        // The seat is checked first, so that the error is right for this node's own enode, which
        // may have no endpoint.
        check_seat(shared, id)?;
        return Err(DialError::NoEndpoint { id });
    }
    let mut waiter = Waiter::new(shared, node);
    match shared.connections.connect(candidate(node)).await {
        Ok(request) => debug!(%id, request = %request.id(), "dialling on request"),
        Err(ManagerError::AlreadyManaged(request)) => {
            // The node may have become a peer before this call began to wait.
            check_seat(shared, id).inspect_err(|_| waiter.settled = true)?;
            hurry(shared, request).await;
        }
        Err(error) => {
            waiter.settled = true;
            return Err(DialError::of_request(node, error));
        }
    }
    waiter.answer().await
}

/// Dials at once for a request that waits for its next attempt.
async fn hurry(shared: &Shared, request: crate::connmgr::ReqId) {
    let waiting = shared.connections.get(request).await;
    if waiting.is_ok_and(|info| info.next_dial.is_some()) {
        let forced = shared.connections.disconnect(request, Reconnect::Force);
        // This call fails if the attempt has begun in the meantime, which is just as good.
        forced.await.ok();
    }
}

/// If the node is connected, replaces the error by one that contains the node's peer.
fn or_connected(shared: &Shared, error: DialError) -> DialError {
    let connected = error.reason() == Some(DisconnectReason::ALREADY_CONNECTED);
    let peer = connected.then(|| shared.checks.peers.get(&error.id()));
    peer.flatten()
        .map_or(error, |peer| DialError::Connected { peer })
}

/// Checks whether the node with this id may become a peer now.
fn check_seat(shared: &Shared, id: NodeId) -> Result<(), DialError> {
    let checked = shared.checks.peers.check(&id, None);
    checked.map_err(|reason| DialError::Unwanted { id, reason })
}

/// A waiting call. Dropping the last waiting call for a node cancels the dial.
struct Waiter {
    shared: Arc<Shared>,
    node: Enode,
    answer: oneshot::Receiver<Result<Peer, DialError>>,
    /// Whether there is no dial to cancel.
    settled: bool,
}

impl Waiter {
    fn new(shared: &Arc<Shared>, node: &Enode) -> Self {
        Self {
            shared: Arc::clone(shared),
            node: node.clone(),
            answer: shared.checks.waiters.join(node.node_id()),
            settled: false,
        }
    }

    async fn answer(mut self) -> Result<Peer, DialError> {
        let answer = (&mut self.answer).await;
        self.settled = true;
        let id = self.node.node_id();
        answer.unwrap_or(Err(DialError::GivenUp { id }))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.answer.close();
        self.shared.checks.waiters.leave(&self.node.node_id());
        if !self.settled {
            let (shared, node) = (Arc::clone(&self.shared), self.node.clone());
            spawn(&self.shared, async move { give_up(&shared, node).await });
        }
    }
}

/// Cancels a dial, unless a call still waits or the dial has another purpose.
async fn give_up(shared: &Shared, node: Enode) {
    let id = node.node_id();
    let Ok(request) = shared.connections.find(NodeAddr::Node(node)).await else {
        return;
    };
    let wanted = request.kind != Kind::OneShot
        || shared.checks.waiters.any(&id)
        || shared.checks.peers.get(&id).is_some();
    if !wanted {
        // This call fails if the request has ended on its own, which does no harm.
        shared.connections.remove(request.id).await.ok();
    }
}

/// Makes a peer over a stream that was opened to a node by other means.
pub(crate) async fn dial_over<T: Transport>(
    shared: &Arc<Shared>,
    stream: T,
    remote: &PublicKey,
) -> Result<Peer, DialError> {
    let id = remote.node_id();
    shared.checks.peers.let_end(&id).await;
    check_seat(shared, id).map_err(|error| or_connected(shared, error))?;
    let addr = stream.remote_addr();
    let peer = Setup::new(shared, None).outbound(stream, remote).await;
    let peer = peer.map_err(|error| {
        let source = Arc::new(error);
        or_connected(shared, DialError::Setup { id, addr, source })
    })?;
    peer.running().await;
    Ok(peer)
}

//! Dials that somebody waits for.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::debug;

use super::DialError;
use super::node_addr::{NodeAddr, candidate};
use super::setup::Setup;
use super::shared::Inner;
use crate::connmgr::{self, ConnState, Kind, ManagerError, Reconnect, Refusal};
use crate::node::{Enode, NodeId, PublicKey};
use crate::p2p::DisconnectReason;
use crate::peer::Peer;
use crate::setup::Direction;
use crate::transport::Transport;

/// Connects to a node, or waits for the connection that somebody else has asked for.
pub(crate) async fn dial(inner: &Arc<Inner>, node: &Enode) -> Result<Peer, DialError> {
    let id = node.node_id();
    check(inner, node)?;
    let waiter = Waiter::new(inner, node);
    match inner.connections.connect(candidate(node)).await {
        Ok(request) => debug!(%id, request = %request.id(), "dialling on request"),
        Err(ManagerError::AlreadyManaged(request)) => {
            // It may have become a peer before this call began to wait.
            check(inner, node)?;
            let waiting = inner.connections.get(request).await;
            if waiting.is_ok_and(|info| matches!(info.state, ConnState::Failing { .. })) {
                // If its turn has come meanwhile, all the better.
                inner
                    .connections
                    .disconnect(request, Reconnect::Force)
                    .await
                    .ok();
            }
        }
        Err(ManagerError::Refused(cause)) => return Err(refused(node, cause)),
        Err(ManagerError::Stopped) => {
            let reason = DisconnectReason::CLIENT_QUITTING;
            return Err(DialError::Unwanted { id, reason });
        }
        Err(source) => return Err(DialError::Manager { id, source }),
    }
    waiter.answer().await
}

/// Whether a node may be dialled, and wants to be.
fn check(inner: &Inner, node: &Enode) -> Result<(), DialError> {
    let id = node.node_id();
    check_peer(inner, id)?;
    if node.endpoint().is_none_or(|endpoint| endpoint.tcp == 0) {
        return Err(DialError::NoEndpoint { id });
    }
    inner
        .gate
        .check_node(node)
        .map_err(|cause| refused(node, cause))
}

/// Whether the node with this id may become a peer as things stand.
fn check_peer(inner: &Inner, id: NodeId) -> Result<(), DialError> {
    let checked = inner.gate.peers.check(&id, Direction::Outbound);
    checked.map_err(|reason| DialError::Unwanted { id, reason })
}

fn refused(node: &Enode, cause: Refusal) -> DialError {
    DialError::of_dial(node, &connmgr::DialError::Unwanted(cause))
}

/// A call that waits. When the last one of a node is dropped, the dial is given up.
struct Waiter {
    inner: Arc<Inner>,
    node: Enode,
    answer: oneshot::Receiver<Result<Peer, DialError>>,
    answered: bool,
}

impl Waiter {
    fn new(inner: &Arc<Inner>, node: &Enode) -> Self {
        Self {
            inner: Arc::clone(inner),
            node: node.clone(),
            answer: inner.gate.waiters.join(node.node_id()),
            answered: false,
        }
    }

    async fn answer(mut self) -> Result<Peer, DialError> {
        let answer = (&mut self.answer).await;
        self.answered = true;
        let id = self.node.node_id();
        answer.unwrap_or(Err(DialError::GivenUp { id }))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        self.answer.close();
        self.inner.gate.waiters.leave(&self.node.node_id());
        let inner = Arc::clone(&self.inner);
        let node = self.node.clone();
        super::shared::spawn(&self.inner, async move { give_up(&inner, node).await });
    }
}

/// Ends a dial that nobody waits for any more, unless somebody wants it for another reason.
async fn give_up(inner: &Inner, node: Enode) {
    let id = node.node_id();
    let Ok(request) = inner.connections.find(NodeAddr::Node(node)).await else {
        return;
    };
    let wanted = request.kind != Kind::OneShot
        || inner.gate.waiters.any(&id)
        || inner.gate.peers.get(&id).is_some();
    if !wanted {
        // It may have ended by itself.
        inner.connections.remove(request.id).await.ok();
    }
}

/// Makes a peer over a stream that was opened to a node by other means.
pub(crate) async fn dial_over<T: Transport>(
    inner: &Arc<Inner>,
    stream: T,
    remote: &PublicKey,
) -> Result<Peer, DialError> {
    let id = remote.node_id();
    check_peer(inner, id)?;
    let addr = stream.remote_addr();
    let peer = Setup::new(inner, None).outbound(stream, remote).await;
    peer.map_err(|error| DialError::Setup {
        id,
        addr,
        source: Arc::new(error),
    })
}

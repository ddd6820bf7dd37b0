//! Handles the connections that the connection manager opens.

mod remote;
mod run;
mod setup;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info};

pub(crate) use remote::Remote;
pub(crate) use setup::Setup;
pub(crate) use socket::Socket;

use super::DialError;
use super::dial::NodeAddr;
use super::events::ConnectionEvent;
use super::shared::{Shared, spawn};
use crate::connmgr::admission::Handshake;
use crate::connmgr::{ConnEvent, ConnEvents, Lease, Reconnect, Refusal, ReqId};
use crate::node::{Endpoint, Enode, NodeId};
use crate::peer::Peer;
use crate::setup::SetupError;
use crate::time::millis;
use crate::transport::Transport;

/// Sets up connections and reports failed ones until the connection manager has stopped.
pub(crate) async fn run<T: Transport>(
    shared: Arc<Shared>,
    mut events: ConnEvents<NodeAddr, Socket<T>>,
) {
    while let Some(event) = events.recv().await {
        match event {
            ConnEvent::Opened { io, lease } => opened(&shared, io, lease),
            // The peer or set-up has already reported the end.
            ConnEvent::Closed { .. } => {}
            ConnEvent::DialFailed {
                id,
                addr,
                error,
                failures,
                retry_in,
            } => {
                if let NodeAddr::Node(node) = addr {
                    let error = DialError::of_dial(&node, error);
                    report(&shared, id, &node, &error, (failures, retry_in));
                    shared.checks.waiters.answer(&node.node_id(), &Err(error));
                }
            }
            ConnEvent::InboundRejected { addr, cause } => {
                if let NodeAddr::Inbound(addr) = addr {
                    rejected(&shared, addr, cause);
                }
            }
            ConnEvent::ListenerFailed {
                listener,
                left,
                error,
            } => {
                let error = Arc::new(error);
                shared
                    .connection_events
                    .emit(ConnectionEvent::ListenerFailed {
                        listener,
                        left,
                        error,
                    });
            }
        }
    }
}

fn opened<T: Transport>(shared: &Arc<Shared>, socket: Socket<T>, lease: Lease<NodeAddr>) {
    match lease.addr().clone() {
        NodeAddr::Node(node) => {
            let dialled = dialled(Arc::clone(shared), socket, node, lease);
            spawn(shared, dialled);
        }
        NodeAddr::Inbound(addr) => match shared.checks.begin_handshake(addr.ip()) {
            Ok(handshake) => {
                let accepted = accepted(Arc::clone(shared), socket, addr, lease, handshake);
                spawn(shared, accepted);
            }
            Err(cause) => rejected(shared, addr, cause),
        },
    }
}

async fn dialled<T: Transport>(
    shared: Arc<Shared>,
    socket: Socket<T>,
    node: Enode,
    lease: Lease<NodeAddr>,
) {
    let Socket { stream, dial, .. } = socket;
    let (id, request) = (node.node_id(), lease.id());
    let answer = AnswerOnDrop::new(&shared, id);
    let addr = stream.remote_addr();
    let addr = addr.or_else(|| node.endpoint().and_then(Endpoint::socket_addr));
    let mut setup = Setup::new(&shared, Some(lease));
    let result = {
        let _in_flight = dial;
        setup.outbound(stream, node.public_key()).await
    };
    match result {
        Ok(peer) => {
            shared.meters.dial_succeeded();
            // The caller gets the peer only when its protocols run, so that everything that the
            // protocols register at their start is available.
            peer.running().await;
            answer.send(&Ok(peer));
        }
        Err(error) => {
            let source = Arc::new(error);
            // The lease is closed before any report, since the receiver of the report may dial
            // again at once.
            if let (_, Some(lease)) = setup.into_parts() {
                lease.close(NotSetUp(Arc::clone(&source)), Reconnect::ByKind);
            }
            let error = DialError::Setup { id, addr, source };
            // If the request makes no further attempt, the connection manager no longer knows it.
            let waiting = shared.connections.get(request).await;
            let (failures, retry_in) =
                waiting.map_or((1, None), |info| (info.failures, info.next_dial));
            report(&shared, request, &node, &error, (failures, retry_in));
            answer.send(&Err(error));
        }
    }
}

/// Answers the callers that wait for a dial, however the task of the dial ends.
struct AnswerOnDrop<'a> {
    shared: &'a Shared,
    id: NodeId,
    sent: bool,
}

impl<'a> AnswerOnDrop<'a> {
    fn new(shared: &'a Shared, id: NodeId) -> Self {
        Self {
            shared,
            id,
            sent: false,
        }
    }

    fn send(mut self, answer: &Result<Peer, DialError>) {
        self.sent = true;
        self.shared.checks.waiters.answer(&self.id, answer);
    }
}

impl Drop for AnswerOnDrop<'_> {
    fn drop(&mut self) {
        if !self.sent {
            let given_up = Err(DialError::GivenUp { id: self.id });
            self.shared.checks.waiters.answer(&self.id, &given_up);
        }
    }
}

async fn accepted<T: Transport>(
    shared: Arc<Shared>,
    socket: Socket<T>,
    addr: SocketAddr,
    lease: Lease<NodeAddr>,
    handshake: Option<Handshake>,
) {
    let Socket { stream, slot, .. } = socket;
    let connection = lease.id();
    let meter = shared.meters.inbound_started();
    let mut setup = Setup::new(&shared, Some(lease));
    let result = setup.inbound(stream, slot).await;
    meter.ended(&result);
    let (remote, lease) = setup.into_parts();
    drop(handshake);
    if let Err(error) = result {
        debug!(connection = connection.get(), %addr, %error, "inbound connection not set up");
        let error = Arc::new(error);
        if let Some(lease) = lease {
            lease.close(NotSetUp(Arc::clone(&error)), Reconnect::ByKind);
        }
        let event = ConnectionEvent::inbound_failed(addr, remote, error);
        shared.connection_events.emit(event);
    }
}

/// Reports a failed dial.
fn report(
    shared: &Shared,
    connection: ReqId,
    node: &Enode,
    error: &DialError,
    (failures, retry_in): (u32, Option<Duration>),
) {
    let id = node.node_id();
    info!(
        connection = connection.get(),
        node_id = %id,
        %error,
        failures,
        retry_in_ms = retry_in.map(millis),
        "dial failed"
    );
    shared.meters.dial_failed(error);
    shared.checks.store.learn(node, error);
    if shared.checks.peers.is_static(&id) {
        shared.static_nodes.failed(id, error);
    }
    let event = ConnectionEvent::DialFailed {
        node: node.clone(),
        error: error.clone(),
        failures,
        retry_in,
    };
    shared.connection_events.emit(event);
}

/// Reports a connection that was closed immediately after it was accepted.
fn rejected(shared: &Shared, addr: SocketAddr, cause: Refusal) {
    debug!(%addr, %cause, "inbound connection rejected");
    shared.meters.inbound_rejected(cause);
    let event = ConnectionEvent::InboundRejected { addr, cause };
    shared.connection_events.emit(event);
}

/// Why a connection ended before it became a peer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NotSetUp(Arc<SetupError>);

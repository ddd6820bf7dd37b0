//! What all tasks of a server share.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::events::ConnectionEvents;
use super::gate::Gate;
use super::node_addr::NodeAddr;
use super::static_nodes::StaticNodes;
use super::tie_break::TieBreak;
use crate::connmgr::ConnHandle;
use crate::driver::PeerOptions;
use crate::node::SecretKey;
use crate::p2p::Hello;
use crate::peer::{PeerEvents, Protocol};
use crate::rlpx::Legacy;
use crate::setup::Turns;

/// What all tasks of a server share.
pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) tie_break: TieBreak,
    /// For the handshakes of all connections.
    pub(crate) turns: Turns,
    /// What serves all connections.
    pub(super) services: TaskTracker,
    /// Connections.
    pub(super) tasks: TaskTracker,
    /// Fires when nothing new is taken on.
    pub(crate) stopping: CancellationToken,
    /// Fires when everything must end at once.
    pub(super) killed: CancellationToken,
}

/// What the builder puts together.
pub(crate) struct Parts {
    pub(crate) gate: Arc<Gate>,
    pub(crate) key: SecretKey,
    pub(crate) hello: Hello,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) setup_timeout: Duration,
    pub(crate) legacy: Legacy,
    pub(crate) options: PeerOptions,
    pub(crate) events: PeerEvents,
    pub(crate) connection_events: ConnectionEvents,
    pub(crate) connections: ConnHandle<NodeAddr>,
    pub(crate) static_nodes: StaticNodes,
}

impl Inner {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            tie_break: TieBreak::new(parts.gate.own),
            turns: Turns::new(),
            parts,
            services: TaskTracker::new(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
        }
    }
}

impl std::ops::Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// Runs a task of one connection, which ends when the server is killed.
pub(crate) fn spawn(inner: &Arc<Inner>, task: impl Future<Output = ()> + Send + 'static) {
    spawn_on(&inner.tasks, inner, task);
}

/// Runs a task that serves all connections, likewise.
pub(crate) fn spawn_service(inner: &Arc<Inner>, task: impl Future<Output = ()> + Send + 'static) {
    spawn_on(&inner.services, inner, task);
}

fn spawn_on(tasks: &TaskTracker, inner: &Inner, task: impl Future<Output = ()> + Send + 'static) {
    let killed = inner.killed.clone();
    // What waits for two futures has room for each twice.
    let task = Box::pin(task);
    tasks.spawn(async move {
        tokio::select! {
            () = task => {}
            () = killed.cancelled() => {}
        }
    });
}

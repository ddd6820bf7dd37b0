//! What all tasks of a server share.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ConnectionEvent;
use super::checks::{Checks, TieBreak};
use super::dial::NodeAddr;
use super::static_nodes::StaticNodes;
use crate::connmgr::ConnHandle;
use crate::driver::PeerOptions;
use crate::event_stream::EventFeed;
use crate::node::SecretKey;
use crate::p2p::Hello;
use crate::peer::{PeerEvents, Protocol};
use crate::random::Random;
use crate::rlpx::Legacy;
use crate::setup::Turns;

pub(crate) struct Shared {
    pub(crate) checks: Arc<Checks>,
    pub(crate) key: SecretKey,
    pub(crate) hello: Hello,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) setup_timeout: Duration,
    pub(crate) legacy: Legacy,
    pub(crate) options: PeerOptions,
    pub(crate) events: PeerEvents,
    pub(crate) connection_events: EventFeed<ConnectionEvent>,
    pub(crate) connections: ConnHandle<NodeAddr>,
    pub(crate) static_nodes: StaticNodes,
    pub(crate) tie_break: TieBreak,
    pub(crate) random: Random,
    /// For the handshakes of all connections.
    pub(crate) turns: Turns,
    pub(crate) tasks: Tasks,
}

/// The tasks of a server, and what ends them.
#[derive(Default)]
pub(crate) struct Tasks {
    /// What serves all connections.
    pub(crate) services: TaskTracker,
    pub(crate) connections: TaskTracker,
    /// Fires when nothing new is taken on.
    pub(crate) stopping: CancellationToken,
    /// Fires when everything must end at once.
    pub(crate) killed: CancellationToken,
}

/// Runs a task of one connection, which ends when the server is killed.
pub(crate) fn spawn(shared: &Shared, task: impl Future<Output = ()> + Send + 'static) {
    spawn_on(&shared.tasks.connections, shared, task);
}

/// Runs a task that serves all connections, which ends then too.
pub(crate) fn spawn_service(shared: &Shared, task: impl Future<Output = ()> + Send + 'static) {
    spawn_on(&shared.tasks.services, shared, task);
}

fn spawn_on(
    tracker: &TaskTracker,
    shared: &Shared,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let killed = shared.tasks.killed.clone();
    // What waits for two futures has room for each twice.
    let task = Box::pin(task);
    tracker.spawn(async move {
        tokio::select! {
            // A task that is done is not aborted.
            biased;
            () = task => {}
            () = killed.cancelled() => {}
        }
    });
}

//! The state that all tasks of a server share.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::accept::Slots;
use super::checks::{Checks, TieBreak};
use super::dial::NodeAddr;
use super::local_node::LocalNode;
use super::meters::ServerMeters;
use super::recordings::Recordings;
use super::static_nodes::StaticNodes;
use super::{ConnectionEvent, ServerFailed, ShutdownTimedOut};
use crate::connmgr::ConnHandle;
use crate::driver::PeerOptions;
use crate::event_stream::EventFeed;
use crate::guarded::caught_async;
use crate::node::SecretKey;
use crate::p2p::{DisconnectReason, Hello};
use crate::peer::{PeerEvents, Protocol};
use crate::random::Random;
use crate::rlpx::Legacy;
use crate::setup::Turns;
use crate::time::part;

/// The part of a shutdown's time in which last frames are sent and remotes close.
const FAREWELL: Duration = Duration::from_secs(2);

/// How many rejected connections stay open until their remotes have read the reason.
///
/// Further rejected connections close at once.
pub(crate) const FAREWELLS: usize = 32;

/// The deadline of a shutdown after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

pub(crate) struct Shared {
    pub(crate) checks: Arc<Checks>,
    pub(crate) key: SecretKey,
    pub(crate) hello: Hello,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) local_node: LocalNode,
    #[cfg(feature = "discv4")]
    pub(crate) discv4: Option<crate::discv4::Discv4>,
    #[cfg(feature = "discv5")]
    pub(crate) discv5: Option<crate::discv5::Discv5>,
    pub(crate) setup_timeout: Duration,
    /// The slots for inbound connections in set-up.
    pub(crate) slots: Slots,
    pub(crate) legacy: Legacy,
    pub(crate) options: PeerOptions,
    pub(crate) events: PeerEvents,
    pub(crate) connection_events: EventFeed<ConnectionEvent>,
    pub(crate) connections: ConnHandle<NodeAddr>,
    pub(crate) static_nodes: StaticNodes,
    pub(crate) meters: ServerMeters,
    pub(crate) tie_break: TieBreak,
    pub(crate) random: Random,
    /// Turns for the public-key cryptography of handshakes.
    pub(crate) turns: Turns,
    /// Permits for rejected connections that stay open, see [`FAREWELLS`].
    pub(crate) farewells: Arc<Semaphore>,
    /// The recordings of disconnected peers.
    pub(crate) recordings: Recordings,
    pub(crate) tasks: Tasks,
}

/// The tasks of a server, and the tokens that end them.
pub(crate) struct Tasks {
    /// The tasks that serve all connections.
    pub(crate) services: TaskTracker,
    pub(crate) connections: TaskTracker,
    /// Fires when the server begins to stop.
    pub(crate) stopping: CancellationToken,
    /// Fires when everything must end at once.
    pub(crate) killed: CancellationToken,
    /// Fires when everything has ended.
    pub(crate) stopped: CancellationToken,
    /// The failure that stopped the server, if any.
    pub(crate) failure: OnceLock<ServerFailed>,
    /// The server's runtime. It is stored, because a task must sometimes be spawned outside the
    /// runtime, for example when a future is dropped there.
    runtime: Handle,
}

impl Tasks {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            services: TaskTracker::new(),
            connections: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
            stopped: CancellationToken::new(),
            failure: OnceLock::new(),
            runtime,
        }
    }
}

/// Spawns the task of one connection. The task ends no later than when the server is killed.
pub(crate) fn spawn(shared: &Shared, task: impl Future<Output = ()> + Send + 'static) {
    spawn_on(&shared.tasks.connections, shared, task);
}

/// Spawns a task that serves all connections. If the task ends early, the server stops.
pub(crate) fn spawn_service(
    shared: &Arc<Shared>,
    service: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let owner = Arc::clone(shared);
    spawn_on(&shared.tasks.services, shared, async move {
        let panicked = caught_async(service, task).await.is_none();
        let ends = [&owner.tasks.stopping, &owner.tasks.killed];
        if !ends.iter().any(|end| end.is_cancelled()) {
            fail(&owner, ServerFailed { service, panicked });
        }
    });
}

/// Stops the server because a service failed. Only the first failure counts.
fn fail(shared: &Arc<Shared>, failure: ServerFailed) {
    if shared.tasks.failure.set(failure).is_err() {
        return;
    }
    shared.meters.service_failed(failure.service);
    error!(%failure, "the server stops after a failure");
    shared
        .connection_events
        .emit(ConnectionEvent::ServiceFailed(failure));
    let owner = Arc::clone(shared);
    // This task is not one of the server's tasks, since the shutdown waits for those.
    shared.tasks.runtime.spawn(async move {
        if let Err(error) = shut_down(&owner, AFTER_FAILURE).await {
            warn!(%error, "connections were aborted");
        }
    });
}

/// Ends everything, see [`Server::shutdown`](super::Server::shutdown).
pub(crate) async fn shut_down(shared: &Shared, deadline: Duration) -> Result<(), ShutdownTimedOut> {
    let tasks = &shared.tasks;
    tasks.stopping.cancel();
    let for_queued = deadline.saturating_sub(FAREWELL.min(part(deadline, 2)));
    for peer in shared.checks.peers.close() {
        peer.request_close(DisconnectReason::CLIENT_QUITTING, for_queued);
    }
    tasks.services.close();
    tasks.connections.close();
    let all_ended = async {
        shared.connections.stop().await;
        tasks.services.wait().await;
        tasks.connections.wait().await;
    };
    let ended = timeout(deadline, all_ended).await;
    let left = tasks.connections.len();
    tasks.killed.cancel();
    tasks.services.wait().await;
    tasks.connections.wait().await;
    shared.checks.waiters.close();
    tasks.stopped.cancel();
    ended.map_err(|_| ShutdownTimedOut {
        tasks: left,
        deadline,
    })
}

fn spawn_on(
    tracker: &TaskTracker,
    shared: &Shared,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let killed = shared.tasks.killed.clone();
    // `task` is boxed, since a future that selects between two futures stores each twice.
    let task = Box::pin(task);
    let task = async move {
        tokio::select! {
            // The task is polled first, so that a finished task is not aborted.
            biased;
            () = task => {}
            () = killed.cancelled() => {}
        }
    };
    tracker.spawn_on(task, &shared.tasks.runtime);
}

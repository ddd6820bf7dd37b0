//! The state that the handle, the connections and the dials of one node share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::consume_budget;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::connector::{ConnectedPeer, DynConnector};
use super::feed::Feed;
use super::identity::Provider;
use super::memory::Memory;
use super::message::check_size;
use super::send_queue::{Draft, Outgoing, Part, Room, SendQueue};
use super::stats::Stats;
use super::table::{ConnectionTable, Landed, News, Purpose, Route, Start};
use super::{
    CommError, CommEvent, Config, Delivery, Demux, IdentityProvider, PeerId, ReceivedMessage,
    RemotePeer,
};
use crate::calendar::Calendar;
use crate::guarded::caught_async;
use crate::mutex::Mutex;
use crate::node::{Enode, NodeId};
use crate::p2p::{Capability, DisconnectReason};
use crate::peer::Peer;
use crate::server::DialError;
use crate::time::after;

/// The minimum time between two timed purges of identities.
const PURGE_SPACING: Duration = Duration::from_millis(1);
/// How often known identities are examined again, so that withdrawn ones are noticed.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) config: Config,
    pub(crate) provider: Provider,
    table: Mutex<ConnectionTable>,
    pub(crate) demux: Demux<ReceivedMessage>,
    pub(crate) dead: Feed<PeerId>,
    pub(crate) switched: Feed<PeerId>,
    pub(crate) events: Feed<CommEvent>,
    pub(crate) stats: Arc<Stats>,
    /// Set by [`begin`](Self::begin), removed by [`stop`](Self::stop).
    connector: Mutex<Option<Arc<dyn DynConnector>>>,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    runtime: Handle,
    pub(crate) identities_changed: Notify,
    started: Instant,
    calendar: Calendar,
    acks: AtomicU64,
    pub(crate) memory: Arc<Memory>,
}

/// A message that was not queued, and the reason. `Full` contains the queue in which the caller can
/// wait for room.
pub(crate) enum NotQueued {
    Full(Arc<SendQueue>, Box<Draft>),
    Failed(CommError, Box<Draft>),
}

impl Shared {
    pub(crate) fn new(
        node: NodeId,
        config: Config,
        provider: Arc<dyn IdentityProvider>,
        table: ConnectionTable,
        stats: Arc<Stats>,
        runtime: Handle,
    ) -> Arc<Self> {
        let memory = Arc::clone(table.memory());
        Arc::new(Self {
            node,
            config,
            provider: Provider::new(provider),
            table: Mutex::new(table),
            demux: Demux::new(),
            dead: Feed::default(),
            switched: Feed::default(),
            events: Feed::default(),
            stats,
            connector: Mutex::new(None),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            runtime,
            identities_changed: Notify::new(),
            started: Instant::now(),
            calendar: Calendar::system(),
            acks: AtomicU64::new(1),
            memory,
        })
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, ConnectionTable> {
        self.table.lock()
    }

    /// The time since the Unix epoch.
    pub(crate) fn unix_now(&self) -> Duration {
        match self.config.unix_time() {
            Some(started) => started.saturating_add(self.started.elapsed()),
            None => self.calendar.unix_now(),
        }
    }

    /// A new number for an Ack. It is never 0, because 0 would request no Ack.
    pub(crate) fn ack_number(&self) -> u64 {
        self.acks.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn tell(&self, news: News) {
        for id in news.dead {
            self.dead.tell(id);
        }
        for id in news.switched {
            self.switched.tell(id);
        }
    }

    /// Sets the connector, and starts to examine identities.
    pub(crate) fn begin(self: &Arc<Self>, connector: Arc<dyn DynConnector>) {
        *self.connector() = Some(connector);
        let shared = Arc::clone(self);
        self.spawn(async move {
            tokio::select! {
                // The stop is checked first, so that no identity is examined after it.
                biased;
                () = shared.stopping.cancelled() => {}
                _ = async { tokio::join!(purge_identities(&shared), examine_again(&shared)) } => {}
            }
        });
    }

    fn connector(&self) -> MutexGuard<'_, Option<Arc<dyn DynConnector>>> {
        self.connector.lock()
    }

    /// Stops the layer without waiting; a second call does nothing.
    pub(crate) fn stop(&self) {
        // The table stops before the tasks notice, so that no task reports the consequences of the
        // stop.
        self.table().stop();
        self.stopping.cancel();
        self.demux.close();
        self.dead.close();
        self.switched.close();
        self.events.close();
        // The connector may hold the server, which holds the protocol, which holds this state.
        // Dropping the connector breaks that cycle.
        let connector = self.connector().take();
        drop(connector);
        self.tasks.close();
    }

    /// Finds the route to a peer, and starts an attempt if there is none yet.
    pub(crate) fn route(
        self: &Arc<Self>,
        to: &RemotePeer,
        purpose: Purpose,
    ) -> Result<Route, CommError> {
        let mut news = News::default();
        let route = self
            .table()
            .route(to, purpose, Instant::now(), &mut news)
            .map(|route| self.set_off(to.node(), route));
        self.tell(news);
        route
    }

    fn set_off(self: &Arc<Self>, node: NodeId, mut route: Route) -> Route {
        if let Route::Flight { start, .. } = &mut route
            && let Some(start) = start.take()
        {
            self.spawn_flight(node, start);
        }
        route
    }

    /// Queues a message without waiting. `reserved` is room in a queue. It is used only if the
    /// message still goes through that queue.
    pub(crate) fn enqueue(
        self: &Arc<Self>,
        to: &RemotePeer,
        draft: Draft,
        reserved: Option<Room>,
        now: Instant,
    ) -> Result<(), NotQueued> {
        if let Err(error) = check_size(draft.payload.len(), self.config.max_message()) {
            return Err(NotQueued::Failed(error, draft.into()));
        }
        let mut news = News::default();
        let mut table = self.table();
        let route = table.route(to, Purpose::Open, now, &mut news);
        let queued = match &route {
            Err(error) => Err(NotQueued::Failed(error.clone(), draft.into())),
            Ok(Route::Open(entry)) => {
                // The table need not stay locked: if the connection ends in the meantime, the
                // message fails together with it.
                drop(table);
                push(&entry.queue, Outgoing::new(draft, None, now), reserved)
            }
            Ok(Route::Flight { queue, .. }) => {
                let queued = push(queue, Outgoing::new(draft, to.id(), now), reserved);
                drop(table);
                queued
            }
        };
        if let Ok(route) = route {
            self.set_off(to.node(), route);
        }
        self.tell(news);
        queued
    }

    /// Queues a message; waits for room, for at most `limit` from `now` on. Cancel safe.
    pub(crate) async fn enqueue_waiting(
        self: &Arc<Self>,
        to: &RemotePeer,
        mut draft: Draft,
        now: Instant,
        limit: Duration,
    ) -> Result<(), CommError> {
        let deadline = after(now, limit);
        let mut now = now;
        let mut reserved = None;
        loop {
            let queue = match self.enqueue(to, draft, reserved.take(), now) {
                Ok(()) => return Ok(()),
                Err(NotQueued::Failed(error, _)) => {
                    self.stats.dropped(&error);
                    return Err(error);
                }
                Err(NotQueued::Full(queue, back)) => {
                    draft = *back;
                    queue
                }
            };
            let room = queue.reserve(Part::Messages, draft.payload.len());
            let room = timeout_at(deadline, room).await.map_err(|_| {
                let error = CommError::Deadline { after: limit };
                self.stats.dropped(&error);
                error
            })?;
            now = Instant::now();
            reserved = room;
        }
    }

    /// Sends a message to one peer, or drops it if there is no room.
    pub(crate) fn send_now(
        self: &Arc<Self>,
        to: &RemotePeer,
        payload: bytes::Bytes,
    ) -> oneshot::Receiver<Delivery> {
        let (done, receipt) = oneshot::channel();
        let draft = Draft {
            code: super::message::DATA,
            payload,
            ack: None,
            done: Some(done),
        };
        let (error, draft) = match self.enqueue(to, draft, None, Instant::now()) {
            Ok(()) => return receipt,
            Err(NotQueued::Full(_, draft)) => (CommError::Full, draft),
            Err(NotQueued::Failed(error, draft)) => (error, draft),
        };
        self.stats.dropped(&error);
        draft.refuse(Delivery::Dropped(error));
        receipt
    }

    /// Runs a task on the layer's runtime, since the caller may be outside any runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    fn spawn_flight(self: &Arc<Self>, node: NodeId, start: Start) {
        let shared = Arc::clone(self);
        self.spawn(async move {
            let mut next = Some(start);
            while let Some(start) = next.take() {
                shared.stats.dials.increment(1);
                next = shared.fly(node, start).await;
                shared.stats.dials.decrement(1);
            }
        });
    }

    /// Runs one attempt to its end. Returns the attempt that has to follow, if any.
    async fn fly(&self, node: NodeId, start: Start) -> Option<Start> {
        let serial = start.serial;
        let attempt = async {
            tokio::select! {
                // The stop is checked first, so that a failure caused by the stop is reported as
                // `Stopped`.
                biased;
                () = self.stopping.cancelled() => Err(CommError::Stopped),
                result = self.attempt(node, start) => result,
            }
        };
        match attempt.await {
            Ok(()) => self.table().flight_over(&node, serial),
            Err(error) => {
                debug!(%node, %error, "node not reached");
                let now = Instant::now();
                let news = self.table().flight_failed(&node, serial, &error, now);
                self.tell(news);
                None
            }
        }
    }

    async fn attempt(&self, node: NodeId, start: Start) -> Result<(), CommError> {
        let connected = self.connect(&start.enode).await?;
        let found = (!connected.is_new()).then(|| connected.peer().clone());
        let used = self.make_use(node, &start, connected).await;
        let was_ending = used.is_err() && found.is_some_and(|peer| peer.outcome().is_some());
        if !was_ending || start.result.borrow().is_some() {
            return used;
        }
        // The connection that was found was already ending, for example after a close. So this
        // makes a new connection.
        let connected = self.connect(&start.enode).await?;
        self.make_use(node, &start, connected).await
    }

    async fn connect(&self, enode: &Enode) -> Result<ConnectedPeer, CommError> {
        let connector = self.connector().clone().ok_or(CommError::Stopped)?;
        let limit = self.config.dial_timeout();
        let connect = caught_async("the connector", async { connector.connect(enode).await });
        let connected = timeout(limit, connect).await;
        let connected = connected.map_err(|_| CommError::Deadline { after: limit })?;
        let id = enode.node_id();
        Ok(connected.unwrap_or(Err(DialError::GivenUp { id }))?)
    }

    /// Uses a connection for the purpose of the attempt.
    async fn make_use(
        &self,
        node: NodeId,
        start: &Start,
        connected: ConnectedPeer,
    ) -> Result<(), CommError> {
        let peer = connected.peer().clone();
        let end = |peer: Peer| async move {
            peer.disconnect(DisconnectReason::REQUESTED);
            peer.ended().await;
        };
        if start.purpose == Purpose::Probe {
            let limit = self.config.probe_timeout();
            let answered = timeout(limit, peer.ping()).await;
            let result = match answered {
                Ok(Some(rtt)) => {
                    self.table().found(&node, Landed::Probe(rtt));
                    Ok(())
                }
                Ok(None) => Err(closed()),
                Err(_) => Err(CommError::Deadline { after: limit }),
            };
            if connected.is_new() {
                end(peer).await;
            }
            return result;
        }
        let capability = Capability::new(super::NAME, super::VERSION);
        let mut shared = peer.shared_capabilities().iter();
        if !shared.any(|one| one.capability == capability) {
            return Err(CommError::NotSupported { node });
        }
        let mut result = start.result.clone();
        // The connection's own task has a shorter limit, so it ends first and reports the cause.
        let limit = self.config.handshake_timeout().saturating_mul(2);
        let settled = async {
            tokio::select! {
                // The result is checked first, because a connection that is only for a handshake
                // ends right after its result.
                biased;
                landed = result.wait_for(Option::is_some) => landed.map(|_| ()).map_err(|_| closed()),
                _ = peer.ended() => Err(closed()),
            }
        };
        timeout(limit, settled)
            .await
            .map_err(|_| CommError::Deadline { after: limit })??;
        let landed = result.borrow().clone();
        if let (Some(Ok(Landed::Handshake(_))), true) = (landed, connected.is_new()) {
            end(peer).await;
        }
        Ok(())
    }
}

fn push(
    queue: &Arc<SendQueue>,
    message: Outgoing,
    reserved: Option<Room>,
) -> Result<(), NotQueued> {
    if let Some(room) = reserved.filter(|room| room.is_of(queue)) {
        queue.push(Part::Messages, message, room);
        return Ok(());
    }
    let pushed = queue.try_push(Part::Messages, message);
    pushed.map_err(|message| NotQueued::Full(Arc::clone(queue), message.draft.into()))
}

fn closed() -> CommError {
    CommError::PeerClosed(super::ConnectionEnd::TransportEnded)
}

/// Removes identities that have expired or have been unused for too long.
async fn purge_identities(shared: &Shared) {
    loop {
        let unix_now = shared.unix_now();
        let news = shared.table().purge(unix_now);
        for id in &news.switched {
            debug!(%id, "identity has expired or was unused for too long");
        }
        shared.tell(news);
        let next = shared.table().identities.next_purge();
        let wait = next.map_or(PURGE_INTERVAL, |at| {
            let wait = at.saturating_sub(unix_now).min(PURGE_INTERVAL);
            wait.saturating_add(PURGE_SPACING)
        });
        tokio::select! {
            // The order does not matter: each of the two leads to the next purge.
            biased;
            () = sleep(wait) => {}
            () = shared.identities_changed.notified() => {}
        }
    }
}

/// Validates all known identities at intervals, and removes those that are rejected. It asks the
/// provider about one identity at a time, and holds no lock meanwhile.
async fn examine_again(shared: &Shared) {
    loop {
        sleep(PURGE_INTERVAL).await;
        let others = shared.table().identities.others();
        for (id, identity) in others {
            // Other tasks must get their time, because a quick provider answers without yielding.
            consume_budget().await;
            let now = shared.unix_now();
            let valid = shared
                .provider
                .ask(move |provider| provider.validate(&identity, now).is_ok());
            if valid.await != Ok(true) {
                debug!(%id, "identity is no longer accepted");
                let news = shared.table().withdraw(id);
                shared.tell(news);
            }
        }
    }
}

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::{Notify, SetOnce};
use tokio::task::Id;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::judge::Judge;
use super::liveness::Liveness;
use super::{OpenLane, PeerConfig, PeerError, PeerOutcome};
use crate::channel::Meters;
use crate::mutex::Mutex;
use crate::node::{Enode, NodeId, PublicKey};
use crate::p2p::{Capability, DisconnectReason, Hello, SharedCapability};
use crate::printable::printable;
use crate::recorder::{PingNote, Recorder};
use crate::rlpx::ChannelBinding;
use crate::setup::{Direction, Established};
use crate::time::after;
use crate::transport::Transport;

/// A handle to a connected peer, cheap to clone.
///
/// Holding or dropping a handle neither keeps the connection open nor closes it.
#[doc(alias("session", "connection"))]
#[derive(Clone)]
pub struct Peer(Arc<Shared>);

struct Shared {
    about: About,
    control: Control,
}

/// Facts about a connected peer that do not change.
pub(crate) struct About {
    pub(crate) public_key: PublicKey,
    pub(crate) id: NodeId,
    pub(crate) hello: Hello,
    pub(crate) shared: Vec<SharedCapability>,
    pub(crate) direction: Direction,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) binding: ChannelBinding,
    pub(crate) created: Instant,
}

impl About {
    pub(crate) fn new<T: Transport>(
        established: &Established<T>,
        shared: Vec<SharedCapability>,
    ) -> Self {
        let mut hello = established.hello.clone();
        hello.capabilities.sort();
        Self {
            public_key: established.link.public_key,
            id: established.id(),
            hello,
            shared,
            direction: established.link.direction,
            local: established.link.local,
            remote: established.link.remote,
            binding: established.link.binding,
            created: Instant::now(),
        }
    }
}

/// The state that the handle and the driver share.
pub(crate) struct Control {
    request: Mutex<Option<EndRequest>>,
    requested: Notify,
    /// The protocols' lanes, set before the protocols start.
    lanes: OnceLock<Box<[OpenLane]>>,
    /// The protocols' tasks, set once they have started.
    pub(crate) tasks: OnceLock<Box<[Id]>>,
    /// Set when all protocols have reached their first wait.
    running: SetOnce<()>,
    /// Cancelled when the connection begins to end.
    pub(crate) ending: CancellationToken,
    /// Set when all tasks of the peer have ended.
    ended: SetOnce<()>,
    outcome: OnceLock<Arc<PeerOutcome>>,
    pub(crate) liveness: Mutex<Liveness>,
    /// Records the connection's traffic.
    pub(crate) recorder: Arc<Recorder>,
    /// Wakes the ping loop early.
    pub(crate) ping_wanted: Notify,
    /// Wakes the calls that wait for a Pong.
    ponged: Notify,
    trusted: AtomicBool,
    statically_dialled: AtomicBool,
    /// The judge that counts misbehaviour. The reference is weak, since the judge holds the peer.
    judge: OnceLock<Weak<dyn Judge>>,
    pub(crate) meters: Meters,
}

/// The cause of a local request to disconnect the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// The application or the server asked for a Disconnect with this reason.
    Asked(DisconnectReason),
    Kicked,
    Banned,
    Removed,
}

impl From<EndCause> for PeerError {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Asked(reason) => Self::Local(reason),
            EndCause::Kicked => Self::Kicked,
            EndCause::Banned => Self::Banned,
            EndCause::Removed => Self::Removed,
        }
    }
}

/// A local request to disconnect the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndRequest {
    pub(crate) cause: EndCause,
    /// Whether queued messages are written before the Disconnect.
    pub(crate) drain: bool,
    /// When the remaining queued messages are dropped.
    pub(crate) give_up: Instant,
}

impl Control {
    fn request(&self, cause: EndCause, drain: Option<Duration>) {
        let request = EndRequest {
            cause,
            drain: drain.is_some(),
            give_up: after(Instant::now(), drain.unwrap_or_default()),
        };
        {
            let mut first = self.request.lock();
            let first = first.get_or_insert(request);
            // A later request can only shorten the wait.
            first.give_up = first.give_up.min(request.give_up);
        }
        self.requested.notify_one();
    }

    /// Waits until queued messages must be dropped. Cancel safe.
    ///
    /// That time is `at`, or earlier if a request demands it.
    pub(crate) async fn give_up(&self, at: Instant) {
        loop {
            let request = *self.request.lock();
            let at = request.map_or(at, |request| request.give_up.min(at));
            tokio::select! {
                // The deadline is polled first, so that no request delays its effect.
                biased;
                () = sleep_until(at) => return,
                () = self.requested.notified() => {}
            }
        }
    }

    /// Waits for a local request to disconnect the peer. Cancel safe.
    pub(crate) async fn requested(&self) -> EndRequest {
        loop {
            if let Some(request) = *self.request.lock() {
                return request;
            }
            self.requested.notified().await;
        }
    }

    /// Records how the connection ended, and wakes the callers that wait for it.
    pub(crate) fn set_ended(&self, outcome: Arc<PeerOutcome>) {
        // The driver runs once, so there is no earlier outcome to lose.
        let _ = self.outcome.set(outcome);
        // The guard of a dropped driver may already have set this.
        let _ = self.ended.set(());
    }

    /// Records the lanes of all protocols, in the order of the shared capabilities.
    ///
    /// The driver calls this before any protocol runs.
    pub(crate) fn set_lanes(&self, lanes: Box<[OpenLane]>) {
        // The driver starts only once.
        let _ = self.lanes.set(lanes);
    }

    /// Records that all protocols are running.
    pub(crate) fn set_running(&self) {
        // This is already set if the connection ended before all protocols were running.
        let _ = self.running.set(());
    }

    pub(crate) fn set_trusted(&self, trusted: bool) {
        self.trusted.store(trusted, Ordering::Relaxed);
    }

    pub(crate) fn set_static(&self, wanted: bool) {
        self.statically_dialled.store(wanted, Ordering::Relaxed);
    }

    /// Sets the judge that counts misbehaviour.
    pub(crate) fn set_judge(&self, judge: Weak<dyn Judge>) {
        // A peer belongs to only one server.
        let _ = self.judge.set(judge);
    }

    /// Notes that this side pauses or resumes reading.
    pub(crate) fn note_pause(&self, paused: bool) {
        if self.with_liveness(|liveness| liveness.on_pause(paused, Instant::now())) {
            self.ping_wanted.notify_one();
        }
    }

    /// Notes a Pong. Returns the round trip, or `None` for an unsolicited Pong.
    pub(crate) fn note_pong(&self) -> Option<Duration> {
        let now = Instant::now();
        let (round_trip, overdue) = self.with_liveness(|liveness| {
            let awaited = liveness.awaits_pong();
            let overdue = liveness.on_pong(now);
            (liveness.rtt().filter(|_| awaited), overdue)
        });
        if overdue {
            self.ping_wanted.notify_one();
        }
        if let Some(round_trip) = round_trip {
            self.recorder.ping(now, PingNote::Answered(round_trip));
        }
        self.ponged.notify_waiters();
        round_trip
    }

    pub(crate) fn with_liveness<R>(&self, f: impl FnOnce(&mut Liveness) -> R) -> R {
        f(&mut self.liveness.lock())
    }
}

impl Peer {
    pub(crate) fn new(about: About, config: &PeerConfig, meters: Meters) -> Self {
        let (liveness, since) = (Liveness::new(config, Instant::now()), about.created);
        let control = Control {
            request: Mutex::new(None),
            requested: Notify::new(),
            lanes: OnceLock::new(),
            tasks: OnceLock::new(),
            running: SetOnce::new(),
            ending: CancellationToken::new(),
            ended: SetOnce::new(),
            outcome: OnceLock::new(),
            liveness: Mutex::new(liveness),
            recorder: Recorder::new(since, config.recording()),
            ping_wanted: Notify::new(),
            ponged: Notify::new(),
            trusted: AtomicBool::new(false),
            statically_dialled: AtomicBool::new(false),
            judge: OnceLock::new(),
            meters,
        };
        Self(Arc::new(Shared { about, control }))
    }

    /// A handle without a driver.
    #[cfg(feature = "test-util")]
    pub(crate) fn detached(
        mut hello: Hello,
        direction: Direction,
        binding: ChannelBinding,
        config: &PeerConfig,
    ) -> Self {
        hello.capabilities.sort();
        let about = About {
            public_key: hello.public_key,
            id: hello.public_key.node_id(),
            hello,
            shared: Vec::new(),
            direction,
            local: None,
            remote: None,
            binding,
            created: Instant::now(),
        };
        Self::new(about, config, Meters::default())
    }

    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }

    /// The remote's node id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.0.about.id
    }

    /// The remote's static key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.about.public_key
    }

    /// Like [`full_name`](Self::full_name), but a longer name is cut to 20 characters and `...`.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.full_name();
        match name.char_indices().nth(20) {
            Some((cut, _)) => format!("{}...", &name[..cut]),
            None => name,
        }
    }

    /// The remote's full client name, safe to print.
    ///
    /// Invalid UTF-8 and characters that a terminal would interpret are replaced.
    /// [`hello`](Self::hello) contains the original bytes.
    #[must_use]
    pub fn full_name(&self) -> String {
        let client = &self.0.about.hello.client;
        printable(&String::from_utf8_lossy(client), client.len())
    }

    /// All capabilities that the remote announced, sorted by name and version.
    #[must_use]
    pub fn capabilities(&self) -> &[Capability] {
        &self.0.about.hello.capabilities
    }

    /// The capabilities that both sides support, with their message codes, sorted by offset.
    #[must_use]
    pub fn shared_capabilities(&self) -> &[SharedCapability] {
        &self.0.about.shared
    }

    /// Whether the remote announced `name` in one of `versions`.
    #[must_use]
    pub fn has_capability(&self, name: &str, versions: &[u64]) -> bool {
        self.capabilities()
            .iter()
            .any(|cap| cap.name() == name && versions.contains(&cap.version()))
    }

    /// The remote's Hello, with its capabilities sorted by name and version.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.0.about.hello
    }

    /// Which side opened the connection.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.0.about.direction
    }

    /// The local address of the connection, if its transport has one.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.about.local
    }

    /// The remote address of the connection, if its transport has one.
    ///
    /// For an inbound peer, the port is the source port of the connection, not the port on which
    /// the peer listens.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.about.remote
    }

    /// The remote as an enode URL, with the connection's remote address if it has one.
    #[must_use]
    pub fn enode(&self) -> Enode {
        match self.0.about.remote {
            Some(addr) => Enode::new(self.0.about.public_key, addr),
            None => Enode::incomplete(self.0.about.public_key),
        }
    }

    /// Returns 32 bytes that only the two sides of this connection can derive.
    ///
    /// These bytes are derived from the handshake. A signature over them therefore cannot be
    /// relayed to, or replayed on, another connection.
    #[must_use]
    pub fn channel_binding(&self) -> &ChannelBinding {
        &self.0.about.binding
    }

    /// How long the peer has been connected.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.0.about.created.elapsed()
    }

    /// Whether the node is currently exempt from the limits on peers.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.control().trusted.load(Ordering::Relaxed)
    }

    /// Whether the node is currently a static node, to which the server keeps a connection.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.control().statically_dialled.load(Ordering::Relaxed)
    }

    /// The last round trip of a Ping, if one has been answered.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.0.control.with_liveness(|liveness| liveness.rtt())
    }

    /// How long the current Ping has been unanswered.
    pub(super) fn unanswered(&self) -> Option<Duration> {
        let now = Instant::now();
        let of = |liveness: &mut Liveness| liveness.unanswered(now);
        self.0.control.with_liveness(of)
    }

    /// The median and the 99th percentile of the round trips of Pings.
    pub(super) fn round_trips(&self) -> [Option<Duration>; 2] {
        let of = |liveness: &mut Liveness| liveness.round_trips();
        self.0.control.with_liveness(of)
    }

    /// Sends a Ping now, waits for the answer and returns the round trip.
    ///
    /// Returns `None` if the connection ends first. If a Ping was answered less than a second ago,
    /// this sends none and returns that Ping's round trip. The call may wait as long as the peer's
    /// liveness timeout allows, so wrap it in a timeout.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ping(&self) -> Option<Duration> {
        let control = self.control();
        let ponged = control.ponged.notified();
        tokio::pin!(ponged);
        // Register before the Ping is sent, so that no answer is missed.
        ponged.as_mut().enable();
        let now = Instant::now();
        if let Some(rtt) = control.with_liveness(|liveness| liveness.want_ping(now)) {
            return Some(rtt);
        }
        control.ping_wanted.notify_one();
        tokio::select! {
            // An answer counts even if the connection is ending.
            biased;
            () = ponged => self.rtt(),
            () = self.ending() => None,
        }
    }

    /// Disconnects the peer with this reason, and drops queued messages.
    ///
    /// Returns immediately. The first request determines the reason. A later request can only
    /// shorten the wait of a [graceful](Self::close_gracefully) disconnection. With
    /// [`NETWORK_ERROR`](DisconnectReason::NETWORK_ERROR) no Disconnect is sent.
    pub fn disconnect(&self, reason: DisconnectReason) {
        self.0.control.request(EndCause::Asked(reason), None);
    }

    /// Disconnects the peer like [`disconnect`](Self::disconnect), for a cause with its own
    /// [`PeerError`].
    pub(crate) fn end(&self, cause: EndCause) {
        self.0.control.request(cause, None);
    }

    /// Adds points to the score of the peer's node, and returns the score.
    ///
    /// A protocol calls this for misbehaviour, such as a wrong answer or too many requests. The
    /// score halves every minute and outlives the connection. Above the server's
    /// [`ban_above`](crate::ServerConfig::ban_above) the peer is disconnected with
    /// [`REQUESTED`](DisconnectReason::REQUESTED), and the node is banned for
    /// [`ban_time`](crate::ServerConfig::ban_time). The address of an inbound peer is banned for
    /// the same time, which affects only new connections. Addresses that are exempt from the limits
    /// on strangers, or that belong to a static or trusted node, are not banned.
    ///
    /// Trusted and [whitelisted](crate::ServerConfig::whitelist) nodes always have a score of 0 and
    /// are never banned this way. A peer without a server also has a score of 0, since the server
    /// keeps the scores.
    pub fn penalise(&self, points: u32, reason: &str) -> u32 {
        let judge = self.control().judge.get().and_then(Weak::upgrade);
        judge.map_or(0, |judge| judge.penalise(&self.id(), points, reason))
    }

    /// The current score of the peer's node; see [`penalise`](Self::penalise).
    #[must_use]
    pub fn score(&self) -> u32 {
        let judge = self.control().judge.get().and_then(Weak::upgrade);
        judge.map_or(0, |judge| judge.score(&self.id()))
    }

    /// Writes all queued messages, disconnects the peer, and waits until the connection has ended.
    ///
    /// Messages whose writing has not started by the deadline are dropped and counted in
    /// [`PeerOutcome::unsent`]. Another 2 s are allowed for the message that is being written and
    /// the Disconnect after it. If the remote does not accept them in that time, the connection
    /// closes without a Disconnect.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future does not revoke the request.
    pub async fn close_gracefully(&self, reason: DisconnectReason, deadline: Duration) {
        self.request_close(reason, deadline);
        self.ended().await;
    }

    /// Like [`close_gracefully`](Self::close_gracefully), without waiting.
    pub(crate) fn request_close(&self, reason: DisconnectReason, deadline: Duration) {
        self.0
            .control
            .request(EndCause::Asked(reason), Some(deadline));
    }

    /// Whether both handles refer to the same connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits until each protocol's function reaches its first wait, or the connection ends.
    ///
    /// For example, if a function registers a handle for other tasks at its start, that handle is
    /// available after this call.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn running(&self) {
        self.0.control.running.wait().await;
    }

    /// The lanes of the running protocols; none once the connection is ending.
    pub(super) fn open_lanes(&self) -> impl Iterator<Item = (&SharedCapability, &OpenLane)> {
        let lanes = match self.0.control.lanes.get() {
            Some(lanes) if !self.0.control.ending.is_cancelled() => &lanes[..],
            _ => &[],
        };
        self.shared_capabilities().iter().zip(lanes)
    }

    /// Completes when the connection begins to end, whatever the cause.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ending(&self) {
        self.0.control.ending.cancelled().await;
    }

    /// Whether the connection is ending, or a request to end it was made.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        let control = self.control();
        control.ending.is_cancelled() || control.request.lock().is_some()
    }

    /// Waits until all tasks of the peer have ended, and returns how the connection ended.
    ///
    /// Returns `None` if the driver was dropped before the connection ended. When this returns, a
    /// server has already released the peer, so the peer's node can be dialled again.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) -> Option<Arc<PeerOutcome>> {
        self.0.control.ended.wait().await;
        self.outcome()
    }

    /// Returns how the connection ended, if it has ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Arc<PeerOutcome>> {
        self.0.control.outcome.get().cloned()
    }

    pub(crate) fn mark_ended(&self) {
        self.0.control.set_running();
        self.0.control.ending.cancel();
        let _ = self.0.control.ended.set(());
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Peer");
        out.field("id", &self.id())
            .field("direction", &self.direction());
        if let Some(remote) = self.remote_addr() {
            out.field("remote", &remote);
        }
        out.finish_non_exhaustive()
    }
}

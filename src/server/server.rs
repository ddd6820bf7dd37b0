use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "serde")]
use super::checks::Checks;
use super::connection::Setup;
use super::dial::NodeAddr;
use super::events::ConnectionEvent;
use super::shared::{Shared, shut_down};
use super::{
    DialError, EntryError, ReconfigureError, ServerConfig, ServerFailed, ShutdownTimedOut,
    StaticNodeError, dial, local_node, reconfigure,
};
use crate::channel::{NodeBudget, ProtocolSender};
use crate::connmgr::RequestInfo;
use crate::event_stream::EventStream;
use crate::message::WireMessage;
use crate::node::{Enode, NodeId, NodeRecord, PublicKey};
use crate::peer::{EndCause, Peer, PeerEvent, Protocol};
use crate::recorder::Recording;
use crate::rlp::Encodable;
use crate::setup::SetupError;
use crate::transport::Transport;

/// A running node, cheap to clone.
///
/// Stop the node with [`shutdown`](Self::shutdown). Dropping the last clone stops the node at once
/// and closes its connections without a Disconnect. A task that should not keep the node running
/// holds a [`WeakServer`](super::WeakServer).
#[doc(alias("node", "swarm"))]
#[derive(Clone)]
pub struct Server {
    pub(super) shared: Arc<Shared>,
    pub(super) last: Arc<KillOnDrop>,
}

pub(super) struct KillOnDrop(CancellationToken);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Server {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let last = Arc::new(KillOnDrop(shared.tasks.killed.clone()));
        Self { shared, last }
    }

    /// Returns the node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.shared.hello.public_key.node_id()
    }

    /// Returns the listening address, if any, with its actual port.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.local_addr
    }

    /// Returns the node's enode URL.
    ///
    /// The URL's address is the first known address of these four: the
    /// [advertised](super::ServerConfig::with_advertise) address, the address that a router
    /// [maps](super::ServerBuilder::nat), the listening address, and the address that [others
    /// see](Self::observed). If the node listens on all addresses and none of the four is known,
    /// the URL contains the loopback address, see [`is_stand_in`](Self::is_stand_in). If the node
    /// does not listen, the URL contains no endpoint. Without discovery, the URL contains
    /// `discport=0`.
    #[must_use]
    pub fn enode(&self) -> Enode {
        self.shared.local_node.enode()
    }

    /// Returns the node's signed record.
    ///
    /// The record contains the key, the addresses at which others can reach the node, and the
    /// [added](super::ServerBuilder::record_entry) entries. Its sequence number grows with each
    /// change.
    #[must_use]
    pub fn record(&self) -> NodeRecord {
        self.shared.local_node.record()
    }

    /// Returns a receiver of the node's [record](Self::record) and each later version.
    #[must_use]
    pub fn watch_record(&self) -> watch::Receiver<NodeRecord> {
        self.shared.local_node.watch()
    }

    /// Sets or replaces an entry of the node's [record](Self::record).
    ///
    /// The [record file](super::ServerBuilder::record_file) is written before this returns.
    ///
    /// # Errors
    /// [`EntryError`] if the node sets this key itself, or if the record would be longer than 300
    /// bytes. The record is then unchanged.
    pub fn set_record_entry(
        &self,
        key: impl AsRef<[u8]>,
        value: &impl Encodable,
    ) -> Result<(), EntryError> {
        let value = local_node::encoded(value);
        self.shared.local_node.set_entry(key.as_ref(), Some(value))
    }

    /// Removes an entry from the node's [record](Self::record), if present.
    ///
    /// # Errors
    /// [`EntryError::Reserved`] if the node sets this key itself.
    pub fn remove_record_entry(&self, key: impl AsRef<[u8]>) -> Result<(), EntryError> {
        self.shared.local_node.set_entry(key.as_ref(), None)
    }

    /// Returns the node's Discovery v4, if enabled.
    #[cfg(feature = "discv4")]
    #[must_use]
    pub fn discv4(&self) -> Option<&crate::discv4::Discv4> {
        self.shared.discv4.as_ref()
    }

    /// Returns the node's Discovery v5, if enabled.
    #[cfg(feature = "discv5")]
    #[must_use]
    pub fn discv5(&self) -> Option<&crate::discv5::Discv5> {
        self.shared.discv5.as_ref()
    }

    /// Reports the address at which another node, `voter`, sees this one.
    ///
    /// A discovery protocol learns the address from the answer of `voter`. The address is added to
    /// the [record](Self::record) when at least 10 networks report it within 5 minutes, and these
    /// are more than half of all networks that report any address. A configured address, an address
    /// that a router maps, and the listening address take precedence.
    pub fn observed(&self, voter: SocketAddr, seen: SocketAddr) {
        self.shared.local_node.vote(voter, seen, Instant::now());
    }

    /// Returns whether the [enode URL](Self::enode) falls back to the loopback address.
    ///
    /// In that case the node listens on all addresses and no other address is known. Other machines
    /// cannot dial the URL.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        self.shared.local_node.is_stand_in()
    }

    /// Returns the registered protocols.
    #[must_use]
    pub fn protocols(&self) -> &[Protocol] {
        &self.shared.protocols
    }

    /// Returns the memory budget that all peers share.
    #[must_use]
    pub fn memory(&self) -> &NodeBudget {
        self.shared.options.budget()
    }

    /// Connects to a node once, and returns when [its protocols run](Peer::running).
    ///
    /// The other node may learn of the connection a moment later. On the other node,
    /// [`watch_peers_with`](Self::watch_peers_with) waits for the new peer.
    ///
    /// If a dial of the node is under way for any reason, this call waits for the outcome of that
    /// dial. If a static node is waiting for its next attempt, this call dials the node
    /// immediately.
    ///
    /// # Errors
    /// [`DialError`] if the dial produces no new peer. The error contains the node, the address and
    /// the stage. If the node is already connected, [`DialError::Connected`] contains its peer.
    ///
    /// # Cancel safety
    /// Dropping the last waiting call for a node cancels the attempt.
    pub async fn dial(&self, node: &Enode) -> Result<Peer, DialError> {
        dial::dial(&self.shared, node).await
    }

    /// Makes a peer over a stream that was opened to a node by other means.
    ///
    /// An example is a stream through a proxy.
    ///
    /// # Errors
    /// [`DialError::Setup`] if the set-up fails, [`DialError::Unwanted`] if this side rejects the
    /// node, [`DialError::Connected`] if the node is already connected.
    pub async fn dial_over<T: Transport>(
        &self,
        stream: T,
        remote: &PublicKey,
    ) -> Result<Peer, DialError> {
        dial::dial_over(&self.shared, stream, remote).await
    }

    /// Makes a peer over a stream that a remote opened, but that no listener accepted.
    ///
    /// # Errors
    /// [`SetupError`] if the set-up fails or a check rejects the remote.
    pub async fn accept_over<T: Transport>(&self, stream: T) -> Result<Peer, SetupError> {
        let peer = Setup::new(&self.shared, None).inbound(stream, None).await?;
        peer.running().await;
        Ok(peer)
    }

    /// Adds a static node, to which the server keeps a connection.
    ///
    /// The server dials the node as soon as [`max_dials`](super::ServerConfig::with_max_dials)
    /// permits, and again whenever a dial fails or the connection ends. A banned node is dialled
    /// when its ban has ended. If the node is already static and its endpoint is new, the next dial
    /// uses the new endpoint. A [`Node`](crate::Node), which may be a record, converts into an
    /// [`Enode`].
    ///
    /// # Errors
    /// [`StaticNodeError`] if the node can never be dialled, if dialling it is not permitted, or if
    /// the server has stopped.
    ///
    /// # Cancel safety
    /// If the call is dropped, the node may or may not have been added.
    #[doc(alias = "AddPeer")]
    pub async fn add_static(&self, node: Enode) -> Result<(), StaticNodeError> {
        self.shared.static_nodes.add(node).await
    }

    /// Removes a static node, disconnects it, and waits for its connection to end.
    ///
    /// Returns whether the node was static. A protocol handler must not call this for its own peer,
    /// since the handler would wait for its own end.
    ///
    /// # Errors
    /// [`StaticNodeError::Stopped`] if the server has stopped.
    ///
    /// # Cancel safety
    /// If the call is dropped, the node may or may not have been removed.
    #[doc(alias = "RemovePeer")]
    pub async fn remove_static(&self, id: &NodeId) -> Result<bool, StaticNodeError> {
        let peer = self.peer(id);
        let removed = self.shared.static_nodes.remove(*id).await?;
        // The node may have become a peer during its removal.
        if removed && let Some(peer) = self.peer(id).or(peer) {
            peer.end(EndCause::Removed);
            peer.ended().await;
        }
        Ok(removed)
    }

    /// Returns the static nodes, sorted by node id.
    ///
    /// For each unconnected node the result contains the reason, if known. Cancel safe.
    ///
    /// # Errors
    /// [`StaticNodeError::Stopped`] if the server has stopped.
    pub async fn static_nodes(&self) -> Result<Vec<super::StaticNode>, StaticNodeError> {
        self.shared.static_nodes.list().await
    }

    /// Returns the settings in force.
    #[must_use]
    pub fn config(&self) -> ServerConfig {
        self.shared.checks.config.lock().clone()
    }

    /// Changes settings while the server runs, all of them or none:
    ///
    /// | settings | effect |
    /// |---|---|
    /// | `max_peers`, `dial_ratio` | which new peers are accepted, and how many nodes from sources are dialled; connected peers stay |
    /// | `max_pending`, `pending_per_network`, `setup_rate`, `throttle` | set-ups that begin from now on |
    /// | `max_dials`, `dial_timeout`, `dial_rate` | dials that begin from now on |
    /// | `memory` | the memory that may be held from now on; see [`NodeBudget::set_limits`] |
    /// | `ban_above`, `ban_time` | bans by [`Peer::penalise`] from now on |
    /// | `net_restrict` | connections that are accepted and nodes that are dialled from now on; connected peers stay |
    /// | `whitelist` | connections from now on; connected peers are protected from eviction and bans, or no longer |
    /// | `throttle_exempt`, `exempt_local` | connections from now on; connected peers count as before |
    /// | `static_nodes` | new nodes are [added](Self::add_static), missing ones [removed](Self::remove_static) |
    /// | `trusted_nodes` | new nodes are [trusted](Self::trust), missing ones no longer; connected peers stay |
    ///
    /// A peer outside a new `net_restrict` stays connected, as in go-ethereum; to end it, use
    /// [`kick`](Self::kick). Once its connection has ended, it is neither accepted nor dialled. This
    /// also applies to static nodes. They remain static, and are dialled again as soon as
    /// `net_restrict` permits them. So are static nodes of the configuration that were
    /// [skipped](super::ConnectionEvent::StaticNodeSkipped) because they were outside.
    ///
    /// A static or trusted node in both the old and the new list keeps its state, even if it was
    /// added with another endpoint, removed or distrusted in the meantime. A new static node that
    /// cannot be dialled is [skipped](super::ConnectionEvent::StaticNodeSkipped). This call does not
    /// wait until removed static nodes have disconnected.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = peermux::Server::builder(peermux::SecretKey::generate()).start().await?;
    /// server.reconfigure(server.config().with_max_peers(10)).await?;
    /// assert!(server.reconfigure(server.config().with_name("another")).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ReconfigureError`] if another setting differs from [those in force](Self::config), if a
    /// value is too small, or if the server has stopped.
    ///
    /// # Cancel safety
    /// If the call is dropped, the limits on dials and the static nodes may remain unchanged until
    /// the next call.
    pub async fn reconfigure(&self, config: ServerConfig) -> Result<(), ReconfigureError> {
        reconfigure::reconfigure(&self.shared, config).await
    }

    /// Notifies the server that the machine may be on another network.
    ///
    /// Static nodes that wait after a failure are then dialled at once instead of minutes later.
    /// The server itself detects when the machine was asleep, when a route returned, and when a
    /// connection succeeded while no peer was connected. Cancel safe.
    pub async fn network_changed(&self) {
        // This call fails only if the server is stopping, which ends all dials anyway.
        self.shared.connections.network_changed().await.ok();
    }

    pub(super) fn peer_set(&self) -> super::checks::PeerSet {
        self.shared.checks.peers.clone()
    }

    /// Returns the connected peers, sorted by node id.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.shared.checks.peers.snapshot()
    }

    /// Returns the peer of a node, if it is connected.
    #[must_use]
    pub fn peer(&self, id: &NodeId) -> Option<Peer> {
        self.shared.checks.peers.get(id)
    }

    /// Returns the recording of a node's current or last connection.
    ///
    /// The recording of an ended connection is found only if it is among
    /// [`recordings`](Self::recordings).
    #[must_use]
    pub fn recording(&self, id: &NodeId) -> Option<Recording> {
        match self.peer(id) {
            Some(peer) => Some(peer.recording()),
            None => self.shared.recordings.of(id),
        }
    }

    /// Returns the recording of a node's last connection that has ended.
    ///
    /// The node may be connected again. Returns `None` if the recording is not among [those kept](Self::recordings).
    #[must_use]
    pub fn ended_recording(&self, id: &NodeId) -> Option<Recording> {
        self.shared.recordings.of(id)
    }

    /// Returns the recordings of the peers that disconnected last, oldest first.
    ///
    /// There is at most one recording per node, and there are at most 64 in total. If there are
    /// more, the oldest recording of a connection that this side ended is dropped. If there is no
    /// such recording, the oldest of all is dropped.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.shared.recordings.all()
    }

    /// Returns the connection manager's request for a connected peer.
    ///
    /// The result contains the request's id, kind, address and state. Returns `None` if the node is
    /// not connected, or is connected over a [given stream](Self::dial_over). Cancel safe.
    pub async fn request_of(&self, id: &NodeId) -> Option<RequestInfo<NodeAddr>> {
        let request = self.shared.checks.peers.request(id)?;
        self.shared.connections.get(request).await.ok()
    }

    /// Returns the peers that speak a protocol with this name, sorted by node id.
    pub fn peers_with(&self, protocol: &str) -> impl Iterator<Item = Peer> {
        let peers = self.peers().into_iter();
        peers.filter(move |peer| peer.speaks(protocol))
    }

    /// Returns a sender to one peer, like [`Peer::sender`].
    ///
    /// Returns `None` if the node is not connected, and whenever [`Peer::sender`] does.
    #[must_use]
    pub fn sender<M: WireMessage>(&self, id: &NodeId) -> Option<ProtocolSender<M>> {
        self.peer(id)?.sender()
    }

    /// Disconnects a node with [`REQUESTED`](crate::DisconnectReason::REQUESTED), if connected.
    ///
    /// Returns immediately, and reports whether the node was connected. The node may connect again,
    /// and a static node is dialled again.
    pub fn kick(&self, id: &NodeId) -> bool {
        let peer = self.peer(id);
        if let Some(peer) = &peer {
            peer.end(EndCause::Kicked);
        }
        peer.is_some()
    }

    /// Bans a node for `time` from now on, which replaces an earlier ban.
    ///
    /// The node is disconnected and neither dialled nor accepted, even if it is trusted. The
    /// [store](super::NodeStore) keeps the ban if it supports bans, as an address book does.
    /// Otherwise the server keeps the ban in memory. The server keeps bans for at most 16,384
    /// nodes. If there are more, the ban that ends first is dropped.
    #[doc(alias("block", "blacklist"))]
    pub fn ban(&self, id: &NodeId, time: Duration, reason: &str) {
        self.shared.checks.ban(id, time, reason);
    }

    /// Bans an IP address, or the /64 of an IPv6 address, [in the same way](Self::ban).
    ///
    /// The ban applies to all nodes at the address.
    pub fn ban_ip(&self, ip: IpAddr, time: Duration, reason: &str) {
        self.shared.checks.ban_ip(ip, time, reason);
    }

    /// Lifts the ban of a node, and returns whether there was one.
    ///
    /// A static node is then dialled again.
    pub fn unban(&self, id: &NodeId) -> bool {
        let lifted = self.shared.checks.unban(id);
        if lifted && self.shared.checks.peers.is_static(id) {
            self.shared.static_nodes.reconsider(*id);
        }
        lifted
    }

    /// Lifts the ban of an IP address, and returns whether there was one.
    ///
    /// Static nodes at the address are dialled again after their current wait.
    pub fn unban_ip(&self, ip: IpAddr) -> bool {
        self.shared.checks.unban_ip(ip)
    }

    /// Returns all current bans, including the [store's](super::NodeStore::bans).
    #[must_use]
    pub fn bans(&self) -> Vec<super::BanInfo> {
        self.shared.checks.all_bans()
    }

    /// Exempts a node from the limits on peers, even if it is already connected.
    ///
    /// This does not dial the node.
    #[doc(alias = "AddTrustedPeer")]
    pub fn trust(&self, id: NodeId) {
        self.shared.checks.peers.set_trusted(id, true);
    }

    /// Withdraws a node's exemption from the limits.
    ///
    /// This does not disconnect the node.
    pub fn distrust(&self, id: NodeId) {
        self.shared.checks.peers.set_trusted(id, false);
    }

    /// Returns how many peers are connected.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.shared.checks.peers.len()
    }

    /// Subscribes to the events of peers from now on.
    ///
    /// A subscriber that is too slow loses the oldest events, and its stream reports how many.
    #[must_use]
    pub fn subscribe(&self) -> EventStream<PeerEvent> {
        self.shared.events.subscribe()
    }

    /// Like [`subscribe`](Self::subscribe), but for the events of connections that produce no peer.
    #[must_use]
    pub fn subscribe_connections(&self) -> EventStream<ConnectionEvent> {
        self.shared.connection_events.subscribe()
    }

    /// Returns information about this node.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn node_info(&self) -> crate::peer::NodeInfo {
        let peers = &self.shared.checks.peers;
        let memory = self.memory();
        crate::peer::NodeInfo {
            schema: crate::peer::NodeInfo::SCHEMA,
            node_id: self.id(),
            client: self.shared.hello.client_text(),
            enode: self.enode().to_string(),
            record: Some(self.record()),
            listen_addr: self.shared.local_addr,
            peers: peers.len(),
            max_peers: peers.seats().all,
            memory: crate::peer::MemoryInfo::new(memory.used(), memory.limits()),
            protocols: crate::peer::node_protocols(&self.shared.protocols),
        }
    }

    /// Returns information about the peers, sorted by node id.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn peers_info(&self) -> Vec<crate::peer::PeerInfo> {
        let Checks { peers, store, .. } = &*self.shared.checks;
        let info = |peer: &Peer| {
            let mut info = crate::peer::PeerInfo::new(peer, &self.shared.protocols);
            info.record = store.record(&info.node_id);
            info
        };
        peers.snapshot().iter().map(info).collect()
    }

    /// Returns views that serialise like [`peers_info`](Self::peers_info), without copying texts.
    ///
    /// The views cover the peers at the time of the call. Each serialises to the same JSON as a
    /// [`PeerInfo`](crate::peer::PeerInfo).
    #[cfg(feature = "serde")]
    pub fn peer_views(&self) -> impl ExactSizeIterator<Item = super::PeerView<'_>> + Send {
        let protocols = &self.shared.protocols;
        let store = &self.shared.checks.store;
        let peers = self.peers().into_iter();
        peers.map(move |peer| {
            let record = store.record(&peer.id());
            super::PeerView::new(peer, record, protocols)
        })
    }

    /// Stops the node, and waits up to `deadline` for its connections to end.
    ///
    /// Listeners close and dials are cancelled. Connections in set-up receive a Disconnect
    /// ([`CLIENT_QUITTING`](crate::DisconnectReason::CLIENT_QUITTING)). Peers receive the same
    /// Disconnect after their queued messages. The last 2 s of `deadline`, but no more than half of
    /// it, are reserved for the Disconnects. Messages that are still queued when this time begins
    /// are dropped. Connections that remain after `deadline` are aborted. A second call waits for
    /// the end of the same shutdown.
    ///
    /// # Errors
    /// [`ShutdownTimedOut`] if connections were aborted.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), ShutdownTimedOut> {
        shut_down(&self.shared, deadline).await
    }

    /// Completes when the server has stopped.
    ///
    /// The server stops after a [`shutdown`](Self::shutdown), or if an essential part fails. Cancel
    /// safe.
    ///
    /// # Errors
    /// [`ServerFailed`] if an essential part failed.
    pub async fn stopped(&self) -> Result<(), ServerFailed> {
        let tasks = &self.shared.tasks;
        tasks.stopped.cancelled().await;
        tasks.failure.get().map_or(Ok(()), |failure| Err(*failure))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("id", &self.id())
            .field("local_addr", &self.local_addr())
            .field("peers", &self.peer_count())
            .finish_non_exhaustive()
    }
}

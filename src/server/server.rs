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

/// A running node. Cheap to clone; when the last clone is dropped, the node stops at once and its
/// connections close without a Disconnect, so end it with [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    _last: Arc<KillOnDrop>,
}

struct KillOnDrop(CancellationToken);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Server {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let last = Arc::new(KillOnDrop(shared.tasks.killed.clone()));
        Self {
            shared,
            _last: last,
        }
    }

    /// The node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.shared.hello.public_key.node_id()
    }

    /// The address that the node listens on, if it does, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.local_addr
    }

    /// The node as an enode URL, with the [advertised](super::ServerConfig::with_advertise) address,
    /// else the one that a router [maps](super::ServerBuilder::nat) to it, else the one that it listens on,
    /// else the one that [others see](Self::observed). A listener on all addresses about which nothing else
    /// is known is given as the loopback address, see [`is_stand_in`](Self::is_stand_in); a node that does
    /// not listen has no endpoint. Without discovery there is `discport=0`.
    #[must_use]
    pub fn enode(&self) -> Enode {
        self.shared.local_node.enode()
    }

    /// What the node says about itself, signed: its key, where others can reach it, and the entries that
    /// were [added](super::ServerBuilder::record_entry). Its sequence number grows when it changes.
    #[must_use]
    pub fn record(&self) -> NodeRecord {
        self.shared.local_node.record()
    }

    /// The node's [record](Self::record) and each that follows it, for those who pass it on.
    #[must_use]
    pub fn watch_record(&self) -> watch::Receiver<NodeRecord> {
        self.shared.local_node.watch()
    }

    /// Sets an entry of the node's [record](Self::record), in place of one of this key. The file that
    /// [keeps](super::ServerBuilder::record_file) the record is written before this returns.
    ///
    /// # Errors
    /// [`EntryError`] if the node fills this key in itself, or if the record became longer than 300 bytes;
    /// nothing changes then.
    pub fn set_record_entry(
        &self,
        key: impl AsRef<[u8]>,
        value: &impl Encodable,
    ) -> Result<(), EntryError> {
        let value = local_node::encoded(value);
        self.shared.local_node.set_entry(key.as_ref(), Some(value))
    }

    /// Takes an entry out of the node's [record](Self::record); one that is not there is no error.
    ///
    /// # Errors
    /// [`EntryError::Reserved`] if the node fills this key in itself.
    pub fn remove_record_entry(&self, key: impl AsRef<[u8]>) -> Result<(), EntryError> {
        self.shared.local_node.set_entry(key.as_ref(), None)
    }

    /// The node's part in Discovery v4, if it takes part.
    #[cfg(feature = "discv4")]
    #[must_use]
    pub fn discv4(&self) -> Option<&crate::discv4::Discv4> {
        self.shared.discv4.as_ref()
    }

    /// The node's part in Discovery v5, if it takes part.
    #[cfg(feature = "discv5")]
    #[must_use]
    pub fn discv5(&self) -> Option<&crate::discv5::Discv5> {
        self.shared.discv5.as_ref()
    }

    /// Tells the node at which address another one sees it, which a discovery protocol learns when that node
    /// answers from `voter`. Once 10 networks have named one address within 5 minutes, and more than half
    /// of all that have named any, it stands in the [record](Self::record), unless an address is configured.
    pub fn observed(&self, voter: SocketAddr, seen: SocketAddr) {
        self.shared.local_node.vote(voter, seen, Instant::now());
    }

    /// Whether the address in the [enode URL](Self::enode) stands in for another: the node listens
    /// on all addresses, none is advertised, and other machines cannot dial the loopback address.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        self.shared.local_node.is_stand_in()
    }

    /// The registered protocols.
    #[must_use]
    pub fn protocols(&self) -> &[Protocol] {
        &self.shared.protocols
    }

    /// The memory budget that all peers share.
    #[must_use]
    pub fn memory(&self) -> &NodeBudget {
        self.shared.options.budget()
    }

    /// Connects to a node once, and returns when it is a peer and [its protocols run](Peer::running). If it is being dialled already, also
    /// for another reason, this waits for that; a static node that waits for its next dial is dialled
    /// at once. Cancel safe: when the last call that waits for a node is dropped, the attempt is
    /// given up.
    ///
    /// # Errors
    /// [`DialError`], which says who, where and at which stage. [`DialError::Connected`] has the
    /// peer of a node that is connected already.
    pub async fn dial(&self, node: &Enode) -> Result<Peer, DialError> {
        dial::dial(&self.shared, node).await
    }

    /// Makes a peer over a stream that was opened to a node by other means, such as a proxy.
    ///
    /// # Errors
    /// [`DialError::Setup`], [`DialError::Unwanted`], or [`DialError::Connected`].
    pub async fn dial_over<T: Transport>(
        &self,
        stream: T,
        remote: &PublicKey,
    ) -> Result<Peer, DialError> {
        dial::dial_over(&self.shared, stream, remote).await
    }

    /// Makes a peer over a stream that a remote opened by other means than the listener.
    ///
    /// # Errors
    /// [`SetupError`].
    pub async fn accept_over<T: Transport>(&self, stream: T) -> Result<Peer, SetupError> {
        let peer = Setup::new(&self.shared, None).inbound(stream, None).await?;
        peer.running().await;
        Ok(peer)
    }

    /// Keeps a node connected for ever: it is dialled as soon as there is a slot, and again when it
    /// could not be reached or its connection ended. For a static node that has another endpoint
    /// now, the next dial goes there. Cancel safe: a dropped call may have added it or not. A
    /// [`Node`](crate::Node), which may be a record, converts into an [`Enode`].
    ///
    /// # Errors
    /// [`StaticNodeError`] if it can or may never be dialled, or if the server has stopped.
    pub async fn add_static(&self, node: Enode) -> Result<(), StaticNodeError> {
        self.shared.static_nodes.add(node).await
    }

    /// Dials a static node no more, disconnects it if it is connected, and waits for the end of
    /// that. Answers whether it was a static node. Must not be called by a handler of a protocol,
    /// which is waited for. Cancel safe: a dropped call may have removed it or not.
    ///
    /// # Errors
    /// [`StaticNodeError::Stopped`].
    pub async fn remove_static(&self, id: &NodeId) -> Result<bool, StaticNodeError> {
        let peer = self.peer(id);
        let removed = self.shared.static_nodes.remove(*id).await?;
        // It may have become a peer while it was removed.
        if removed && let Some(peer) = self.peer(id).or(peer) {
            peer.end(EndCause::Removed);
            peer.ended().await;
        }
        Ok(removed)
    }

    /// The nodes that are kept connected, in the order of their ids, and why those are not connected that
    /// are not. Cancel safe.
    ///
    /// # Errors
    /// [`StaticNodeError::Stopped`].
    pub async fn static_nodes(&self) -> Result<Vec<super::StaticNode>, StaticNodeError> {
        self.shared.static_nodes.list().await
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> ServerConfig {
        self.shared.config.lock().clone()
    }

    /// Changes limits while the server runs, all of them or none:
    ///
    /// | settings | what changes |
    /// |---|---|
    /// | `max_peers`, `dial_ratio` | who is let in from now on, and how many nodes from sources are dialled; connected peers stay |
    /// | `max_pending`, `pending_per_network`, `setup_rate`, `throttle` | set-ups that begin from now on |
    /// | `max_dials`, `dial_timeout`, `dial_rate` | dials that begin from now on |
    /// | `memory` | what may be held from now on; see [`NodeBudget::set_limits`] |
    /// | `ban_above`, `ban_time` | bans by [`Peer::penalise`] from now on |
    ///
    /// Static and trusted nodes have [methods](Self::add_static) [of their own](Self::trust). Cancel
    /// safe: of a dropped call the limits of dials may come later, with the next change.
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
    /// [`ReconfigureError`]: one of the other settings differs from [those in force](Self::config), a number
    /// cannot work, or the server has stopped.
    pub async fn reconfigure(&self, config: ServerConfig) -> Result<(), ReconfigureError> {
        reconfigure::reconfigure(&self.shared, config).await
    }

    /// Tells that the machine may be on another network now: static nodes that wait after a failure are
    /// dialled at once rather than after up to minutes. The server notices by itself when the machine was
    /// asleep, when a route returns, and when something gets through while nobody is connected. Cancel safe.
    pub async fn network_changed(&self) {
        // It only fails when the server stops, which dials nothing more.
        self.shared.connections.network_changed().await.ok();
    }

    pub(super) fn peer_set(&self) -> super::checks::PeerSet {
        self.shared.checks.peers.clone()
    }

    /// The connected peers, by node id.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.shared.checks.peers.snapshot()
    }

    /// One connected peer.
    #[must_use]
    pub fn peer(&self, id: &NodeId) -> Option<Peer> {
        self.shared.checks.peers.get(id)
    }

    /// What crossed the connection of a node last: of the peer, if it is connected, else of its last
    /// connection, if that is among [`recordings`](Self::recordings).
    #[must_use]
    pub fn recording(&self, id: &NodeId) -> Option<Recording> {
        match self.peer(id) {
            Some(peer) => Some(peer.recording()),
            None => self.shared.recordings.of(id),
        }
    }

    /// The recordings of the peers that ended last, the oldest first: of each node its last one, of 64
    /// nodes at most. Where there would be more, one goes that this side ended, else the oldest.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.shared.recordings.all()
    }

    /// The connection manager's request behind a connected peer: its number, why there is a
    /// connection, where it leads to or comes from, and its state. `None` if the node is not connected,
    /// or over a [stream of its own](Self::dial_over). Cancel safe.
    pub async fn request_of(&self, id: &NodeId) -> Option<RequestInfo<NodeAddr>> {
        let request = self.shared.checks.peers.request(id)?;
        self.shared.connections.get(request).await.ok()
    }

    /// The connected peers with which a protocol of this name runs, by node id.
    pub fn peers_with(&self, protocol: &str) -> impl Iterator<Item = Peer> {
        let peers = self.peers().into_iter();
        peers.filter(move |peer| peer.speaks(protocol))
    }

    /// A sender to one peer, as [`Peer::sender`]. `None` also if the node is not connected.
    #[must_use]
    pub fn sender<M: WireMessage>(&self, id: &NodeId) -> Option<ProtocolSender<M>> {
        self.peer(id)?.sender()
    }

    /// Ends the connection of a node with [`REQUESTED`](crate::DisconnectReason::REQUESTED), and says whether it
    /// is connected. Returns at once, and nothing keeps the node from coming back; a static one is dialled
    /// again.
    pub fn kick(&self, id: &NodeId) -> bool {
        let peer = self.peer(id);
        if let Some(peer) = &peer {
            peer.end(EndCause::Kicked);
        }
        peer.is_some()
    }

    /// Bans a node for some time from now on, in place of an earlier ban: it is neither dialled nor let
    /// in, whether it is trusted or not, and its connection ends. The [store](super::NodeStore) keeps the
    /// ban if it keeps any, as an address book does; otherwise the server does, in memory, of 16,384
    /// nodes at most, of which the one whose ban ends first gives way.
    pub fn ban(&self, id: &NodeId, time: Duration, reason: &str) {
        self.shared.checks.ban(id, time, reason);
    }

    /// Bans an IP address, or the /64 of an IPv6 address, in the same way: for all nodes there.
    pub fn ban_ip(&self, ip: IpAddr, time: Duration, reason: &str) {
        self.shared.checks.ban_ip(ip, time, reason);
    }

    /// Lifts the ban of a node, and says whether there was one. A static node is dialled again.
    pub fn unban(&self, id: &NodeId) -> bool {
        let lifted = self.shared.checks.unban(id);
        if lifted && self.shared.checks.peers.is_static(id) {
            self.shared.static_nodes.reconsider(*id);
        }
        lifted
    }

    /// Lifts the ban of an IP address, and says whether there was one. Static nodes there are dialled
    /// again when their wait is over.
    pub fn unban_ip(&self, ip: IpAddr) -> bool {
        self.shared.checks.unban_ip(ip)
    }

    /// All bans that hold now, those of the [store](super::NodeStore::bans) among them.
    #[must_use]
    pub fn bans(&self) -> Vec<super::BanInfo> {
        self.shared.checks.all_bans()
    }

    /// Exempts a node from the limits on peers, from now on and if it is connected already. This
    /// does not dial it.
    pub fn trust(&self, id: NodeId) {
        self.shared.checks.peers.set_trusted(id, true);
    }

    /// Takes a node's exemption back. This does not disconnect it.
    pub fn distrust(&self, id: NodeId) {
        self.shared.checks.peers.set_trusted(id, false);
    }

    /// How many peers are connected.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.shared.checks.peers.len()
    }

    /// Receives the node's events from now on. A subscriber that is too slow loses the oldest and
    /// is told how many.
    #[must_use]
    pub fn subscribe(&self) -> EventStream<PeerEvent> {
        self.shared.events.subscribe()
    }

    /// Receives, in the same way, what becomes of connections that do not become peers.
    #[must_use]
    pub fn subscribe_connections(&self) -> EventStream<ConnectionEvent> {
        self.shared.connection_events.subscribe()
    }

    /// What this node tells about itself.
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

    /// What this node tells about its peers, by node id.
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

    /// As [`peers_info`](Self::peers_info), one peer after the other, without a copy of its texts:
    /// each view serialises to what a [`PeerInfo`](crate::peer::PeerInfo) does. It has the peers of
    /// the time of this call.
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

    /// Stops the node: listeners close, dials are given up, connections in set-up and peers are
    /// sent a Disconnect ([`CLIENT_QUITTING`](crate::DisconnectReason::CLIENT_QUITTING)), peers after what
    /// is queued for them, and all connections end. The last 2 s before the deadline, at most half
    /// of it, are for the Disconnects: what is queued then is given up. What is still there after
    /// `deadline` is aborted.
    /// A second call waits for the same end.
    ///
    /// # Errors
    /// [`ShutdownTimedOut`] if something had to be aborted.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), ShutdownTimedOut> {
        shut_down(&self.shared, deadline).await
    }

    /// Completes when the server has stopped: after a [`shutdown`](Self::shutdown), or by itself
    /// because a part failed that it cannot do without. Cancel safe.
    ///
    /// # Errors
    /// [`ServerFailed`] if it stopped by itself.
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

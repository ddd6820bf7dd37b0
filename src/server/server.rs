use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::connection::Setup;
use super::events::ConnectionEvent;
use super::shared::{Shared, shut_down};
use super::{DialError, ServerFailed, ShutdownTimedOut, StaticNodeError, dial};
use crate::channel::NodeBudget;
use crate::event_stream::EventStream;
use crate::node::{Enode, NodeId, PublicKey};
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerEvent, Protocol};
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
    /// else the one that it listens on. A listener on all addresses is given as the loopback
    /// address, see [`is_stand_in`](Self::is_stand_in); a node that does neither has no endpoint.
    /// There is no discovery, which is `discport=0`.
    #[must_use]
    pub fn enode(&self) -> Enode {
        self.shared.enode.clone()
    }

    /// Whether the address in the [enode URL](Self::enode) stands in for another: the node listens
    /// on all addresses, none is advertised, and other machines cannot dial the loopback address.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        let listens_on_all = |addr: SocketAddr| addr.ip().is_unspecified();
        !self.shared.is_advertised && self.shared.local_addr.is_some_and(listens_on_all)
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

    /// Connects to a node once, and returns when it is a peer. If it is being dialled already, also
    /// for another reason, this waits for that; a static node that waits for its next dial is dialled
    /// at once. Cancel safe: when the last call that waits for a node is dropped, the attempt is
    /// given up.
    ///
    /// # Errors
    /// [`DialError`], which says who, where and at which stage.
    pub async fn dial(&self, node: &Enode) -> Result<Peer, DialError> {
        dial::dial(&self.shared, node).await
    }

    /// Makes a peer over a stream that was opened to a node by other means, such as a proxy.
    ///
    /// # Errors
    /// [`DialError::Setup`], or [`DialError::Unwanted`].
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
        Setup::new(&self.shared, None).inbound(stream, None).await
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
            peer.disconnect(DisconnectReason::REQUESTED);
            peer.ended().await;
        }
        Ok(removed)
    }

    /// Tells that the machine may be on another network now: static nodes that wait after a failure are
    /// dialled at once rather than after up to minutes. The server notices by itself when the machine was
    /// asleep, when a route returns, and when something gets through while nobody is connected. Cancel safe.
    pub async fn network_changed(&self) {
        // It only fails when the server stops, which dials nothing more.
        self.shared.connections.network_changed().await.ok();
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
        let addr = self.shared.local_addr;
        let enode = self.enode();
        let (host, port) = match enode.endpoint() {
            Some(crate::node::Endpoint {
                host: crate::node::Host::Ip(ip),
                tcp,
                ..
            }) => (ip.to_string(), *tcp),
            Some(crate::node::Endpoint { host, tcp, .. }) => (host.to_string(), *tcp),
            None => (String::new(), 0),
        };
        crate::peer::NodeInfo {
            id: self.id(),
            name: self.shared.hello.client_text(),
            enode: enode.to_string(),
            ip: host,
            ports: crate::peer::Ports::new(0, port),
            listen_addr: addr.map_or_else(String::new, |addr| addr.to_string()),
            protocols: crate::peer::node_protocols(&self.shared.protocols),
        }
    }

    /// What this node tells about its peers, by node id.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn peers_info(&self) -> Vec<crate::peer::PeerInfo> {
        let protocols = &self.shared.protocols;
        self.peers()
            .iter()
            .map(|peer| crate::peer::PeerInfo::new(peer, protocols))
            .collect()
    }

    /// As [`peers_info`](Self::peers_info), one peer after the other, without a copy of its texts:
    /// each view serialises to what a [`PeerInfo`](crate::peer::PeerInfo) does. It has the peers of
    /// the time of this call.
    #[cfg(feature = "serde")]
    pub fn peer_views(&self) -> impl ExactSizeIterator<Item = super::PeerView<'_>> + Send {
        let protocols = &self.shared.protocols;
        let peers = self.peers().into_iter();
        peers.map(move |peer| super::PeerView::new(peer, protocols))
    }

    /// Stops the node: listeners close, dials are given up, connections in set-up and peers are
    /// sent a Disconnect ([`CLIENT_QUITTING`](DisconnectReason::CLIENT_QUITTING)), peers after what
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

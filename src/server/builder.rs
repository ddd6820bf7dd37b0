use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::net::TcpListener;

use super::checks::{Checks, Guarded, NodeStore};
use super::dial::nodes_of;
use super::nat::{Asked, Nat};
use super::server::Server;
use super::{Advertised, ConnectionEvent, Gateway, NodeDialer, ServerConfig, local_node};
use crate::connmgr::{AddressSource, Dialer, DynSource, Listener};
use crate::event_stream::{EventFeed, EventStream};
use crate::metrics::NodeLabel;
use crate::node::{Enode, Node, NodeId, NodeRecord, SecretKey};
use crate::peer::{PeerEvents, Protocol};
use crate::random::Random;
use crate::rlp::Encodable;
use crate::rlpx::Legacy;
use crate::transport::Transport;

/// Builds a [`Server`].
///
/// `D` is the type of the dialer. `L` is the type of the listener that is used in addition to the
/// configured address.
#[must_use]
pub struct ServerBuilder<D = NodeDialer, L = TcpListener> {
    pub(super) key: SecretKey,
    pub(super) config: ServerConfig,
    pub(super) protocols: Vec<Protocol>,
    pub(super) record: Option<NodeRecord>,
    /// The record's entries other than addresses, as RLP.
    pub(super) entries: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) record_file: Option<PathBuf>,
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    pub(super) discovery: Option<super::Discovery>,
    pub(super) nat: Nat,
    pub(super) gateway: Asked,
    pub(super) legacy: Legacy,
    pub(super) random: Random,
    pub(super) store: Option<Arc<dyn NodeStore>>,
    pub(super) sources: Vec<Box<dyn DynSource<Node>>>,
    pub(super) events: Option<PeerEvents>,
    pub(super) connection_events: Option<EventFeed<ConnectionEvent>>,
    pub(super) parts: Vec<(&'static str, BoxFuture<'static, ()>)>,
    pub(crate) metrics_label: Option<Arc<str>>,
    pub(super) dialer: DialerFor<D>,
    pub(super) listener: Option<L>,
}

/// Creates the dialer once the checks and the label of metrics are known.
pub(super) type DialerFor<D> = Box<dyn FnOnce(&Arc<Checks>, &NodeLabel) -> D + Send>;

impl Server {
    /// Returns a builder for a node with this static key.
    pub fn builder(key: SecretKey) -> ServerBuilder {
        ServerBuilder::new(key)
    }
}

impl ServerBuilder {
    fn new(key: SecretKey) -> Self {
        Self {
            key,
            config: ServerConfig::default(),
            protocols: Vec::new(),
            record: None,
            entries: BTreeMap::new(),
            record_file: None,
            #[cfg(any(feature = "discv4", feature = "discv5"))]
            discovery: None,
            nat: Nat::None,
            gateway: None,
            legacy: Legacy::default(),
            random: Random::default(),
            store: None,
            sources: Vec::new(),
            events: None,
            connection_events: None,
            parts: Vec::new(),
            metrics_label: None,
            dialer: Box::new(NodeDialer::of_server),
            listener: None,
        }
    }
}

impl<D, L> ServerBuilder<D, L> {
    /// Returns the node's id.
    pub(crate) fn id(&self) -> NodeId {
        self.key.public_key().node_id()
    }

    /// Sets the whole configuration, by default [`ServerConfig::default`].
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.config = config;
        self
    }

    /// Changes the current configuration: `.configure(|config| config.with_max_peers(25))`.
    pub fn configure(mut self, change: impl FnOnce(ServerConfig) -> ServerConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// Registers another protocol.
    ///
    /// A server without protocols accepts all peers, but speaks only the base protocol with them.
    pub fn protocol(mut self, protocol: impl Into<Protocol>) -> Self {
        self.protocols.push(protocol.into());
        self
    }

    /// Registers several protocols, such as the versions of one protocol.
    pub fn protocols<P: Into<Protocol>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// Listens on `addr`; port 0 picks a free one.
    ///
    /// Shorthand for [`with_listen`](ServerConfig::with_listen) of the configuration.
    pub fn listen(self, addr: SocketAddr) -> Self {
        self.configure(|config| config.with_listen(addr))
    }

    /// Sets the address at which other nodes can dial this one.
    ///
    /// Shorthand for [`with_advertise`](ServerConfig::with_advertise) of the configuration.
    pub fn advertise(self, address: Advertised) -> Self {
        self.configure(|config| config.with_advertise(address))
    }

    /// Sets an existing [record](Server::record), which must be signed with the node's key.
    ///
    /// The record's addresses and ports remain unchanged. The next version of the record gets the
    /// next sequence number.
    pub fn record(mut self, record: NodeRecord) -> Self {
        self.record = Some(record);
        self
    }

    /// Adds an entry to the node's [record](Server::record).
    ///
    /// An example is the fork identifier that the protocol `eth` announces. A record is limited to
    /// 300 bytes, of which about 170 are already used.
    pub fn record_entry(mut self, key: impl Into<Vec<u8>>, value: &impl Encodable) -> Self {
        self.entries.insert(key.into(), local_node::encoded(value));
        self
    }

    /// Stores the node's [record](Server::record) in this file.
    ///
    /// The record's sequence number then continues after a restart, and grows only if the record
    /// has changed. A damaged file is renamed and kept. If there is no earlier record, the first
    /// record uses the current time as its sequence number.
    pub fn record_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.record_file = Some(path.into());
        self
    }

    /// Makes the node reachable behind a router, see the [module](super#behind-a-router).
    ///
    /// A router that does not answer does not stop the server; the log reports the error and the
    /// time of the next attempt. Default: [`Nat::None`].
    pub fn nat(mut self, nat: Nat) -> Self {
        self.nat = nat;
        self
    }

    /// Maps the node's ports through this gateway, instead of as [`nat`](Self::nat) says.
    pub fn gateway(mut self, gateway: impl Gateway) -> Self {
        self.gateway = Some(Box::new(gateway));
        self
    }

    /// Enables discovery.
    ///
    /// Each version of the discovery protocol is a [`source`](Self::source) of nodes to dial, and
    /// publishes the node's [record](Server::record). Discovery starts from the bootnodes, and from
    /// nodes in the [store](Self::node_store) that have a port for discovery.
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    pub fn discovery(mut self, discovery: super::Discovery) -> Self {
        self.discovery = Some(discovery);
        self
    }

    /// Adds a source of nodes to dial; all sources take turns.
    ///
    /// `N` is an [`Enode`], a [`NodeRecord`], or a [`Node`], which is either. If discovery has a
    /// filter of records, the filter also applies to the records of this source.
    ///
    /// With a source, the server fills [a part of its seats](ServerConfig::with_dial_ratio)
    /// automatically.
    pub fn source<N>(mut self, source: impl AddressSource<N>) -> Self
    where
        N: Into<Node> + Clone + 'static,
    {
        self.sources.push(nodes_of(source));
        self
    }

    /// Sets the store of nodes, such as an address book.
    ///
    /// The store is also a [`source`](Self::source) of nodes to dial.
    pub fn node_store(mut self, store: impl NodeStore) -> Self {
        self.store = Some(Arc::new(Guarded(store)));
        self
    }

    /// Connects to nodes by other means than TCP, such as a proxy or memory.
    ///
    /// The dialer is then responsible for [socket options](ServerConfig::with_socket), and for
    /// names that resolve to addresses outside the
    /// [permitted networks](ServerConfig::with_net_restrict).
    pub fn dialer<E>(self, dialer: E) -> ServerBuilder<E, L>
    where
        E: Dialer<Addr = Enode, Io: Transport>,
    {
        self.exchange(|_, listener| (Box::new(|_, _| dialer), listener))
    }

    /// Accepts connections from this listener in addition to the [configured
    /// address](Self::listen).
    ///
    /// This listener replaces any listener that was set before. In events, the number of this
    /// listener is 1 if there is a configured address, else 0.
    pub fn listener<M>(self, listener: M) -> ServerBuilder<D, M>
    where
        M: Listener<Addr = SocketAddr, Io: Transport>,
    {
        self.exchange(|dialer, _| (dialer, Some(listener)))
    }

    fn exchange<E, M>(
        self,
        change: impl FnOnce(DialerFor<D>, Option<L>) -> (DialerFor<E>, Option<M>),
    ) -> ServerBuilder<E, M> {
        let (dialer, listener) = change(self.dialer, self.listener);
        ServerBuilder {
            key: self.key,
            config: self.config,
            protocols: self.protocols,
            record: self.record,
            entries: self.entries,
            record_file: self.record_file,
            #[cfg(any(feature = "discv4", feature = "discv5"))]
            discovery: self.discovery,
            nat: self.nat,
            gateway: self.gateway,
            legacy: self.legacy,
            random: self.random,
            store: self.store,
            sources: self.sources,
            events: self.events,
            connection_events: self.connection_events,
            parts: self.parts,
            metrics_label: self.metrics_label,
            dialer,
            listener,
        }
    }

    /// Sets whether handshake packets in the pre-EIP-8 format are accepted.
    ///
    /// No current implementation sends such packets. Default: such packets are not accepted.
    pub fn legacy_handshake(mut self, legacy: Legacy) -> Self {
        self.legacy = legacy;
        self
    }

    /// Draws all randomness from this seed, so that a test can be replayed.
    ///
    /// This is for tests only: the seed determines waits and the keys of connections, so anyone who
    /// knows it can read the messages. Default: the system's randomness.
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seeded(seed);
        self
    }

    /// Stops the server when this future completes or panics.
    ///
    /// Use this for an essential part of the application, such as the task that saves the address
    /// book. If it ends, [`ServerFailed`](super::ServerFailed) contains its name, `part`.
    pub fn stop_with(
        mut self,
        part: &'static str,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.parts.push((part, Box::pin(ended)));
        self
    }

    /// Adds the label `node` with this value to all metrics of this server.
    ///
    /// The label distinguishes servers in one process, so its value should be unique in the
    /// process. The label needs the feature `metrics`. Default: no label, since Prometheus
    /// distinguishes processes itself.
    pub fn metrics_label(mut self, value: impl Into<Arc<str>>) -> Self {
        self.metrics_label = Some(value.into());
        self
    }

    /// Emits peer events to this feed.
    ///
    /// Subscribe to the feed before `start` to receive every event. The configuration's
    /// [`event_capacity`](ServerConfig::with_event_capacity) and
    /// [`message_events`](ServerConfig::with_message_events) do not apply to this feed.
    pub fn events(mut self, events: PeerEvents) -> Self {
        self.events = Some(events);
        self
    }

    /// Like [`Server::subscribe_connections`], but before the start.
    ///
    /// The subscriber receives every event, including the first dial of a static node. Set the
    /// event capacity before this call.
    pub fn subscribe_connections(&mut self) -> EventStream<ConnectionEvent> {
        let capacity = self.config.event_capacity();
        let events = &mut self.connection_events;
        events
            .get_or_insert_with(|| EventFeed::new(capacity))
            .subscribe()
    }
}

impl<D, L> fmt::Debug for ServerBuilder<D, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("key", &self.key)
            .field("config", &self.config)
            .field("protocols", &self.protocols)
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

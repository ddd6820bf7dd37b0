use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::net::TcpListener;

use super::checks::{Guarded, NodeStore};
use super::nat::{Asked, Nat};
use super::server::Server;
use super::{Advertised, ConnectionEvent, Gateway, NodeDialer, ServerConfig, local_node};
use crate::connmgr::{AddressSource, Dialer, DynSource, Listener};
use crate::event_stream::{EventFeed, EventStream};
use crate::node::{Enode, NodeId, NodeRecord, SecretKey};
use crate::peer::{PeerEvents, Protocol};
use crate::random::Random;
use crate::rlp::Encodable;
use crate::rlpx::Legacy;
use crate::transport::Transport;

/// The settings of a [`Server`] on its way to start. `D` connects to nodes, and `L` is a listener
/// besides the configured address.
#[must_use]
pub struct ServerBuilder<D = NodeDialer, L = TcpListener> {
    pub(super) key: SecretKey,
    pub(super) config: ServerConfig,
    pub(super) protocols: Vec<Protocol>,
    pub(super) record: Option<NodeRecord>,
    /// What the record says beside addresses, as RLP.
    pub(super) entries: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) record_file: Option<PathBuf>,
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    pub(super) discovery: Option<super::Discovery>,
    pub(super) nat: Nat,
    pub(super) gateway: Asked,
    pub(super) legacy: Legacy,
    pub(super) random: Random,
    pub(super) store: Option<Arc<dyn NodeStore>>,
    pub(super) sources: Vec<Box<dyn DynSource<Enode>>>,
    pub(super) events: Option<PeerEvents>,
    pub(super) connection_events: Option<EventFeed<ConnectionEvent>>,
    pub(super) parts: Vec<(&'static str, BoxFuture<'static, ()>)>,
    pub(crate) metrics_label: Option<Arc<str>>,
    pub(super) dialer: DialerFor<D>,
    pub(super) listener: Option<L>,
}

/// Makes the dialer once the configuration is known.
pub(super) type DialerFor<D> = Box<dyn FnOnce(&ServerConfig) -> D + Send>;

impl Server {
    /// Starts the description of a node with this static key.
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
            dialer: Box::new(|config| {
                let dialer = NodeDialer::default().with_socket_options(config.socket());
                match config.net_restrict() {
                    Some(networks) => dialer.with_permitted(networks.clone()),
                    None => dialer,
                }
            }),
            listener: None,
        }
    }
}

impl<D, L> ServerBuilder<D, L> {
    /// The node's id.
    pub(crate) fn id(&self) -> NodeId {
        self.key.public_key().node_id()
    }

    /// Sets the numbers, times and lists, all together. Default: [`ServerConfig::default`].
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.config = config;
        self
    }

    /// Changes the configuration that has been set so far:
    /// `.configure(|config| config.with_max_peers(25))`.
    pub fn configure(mut self, change: impl FnOnce(ServerConfig) -> ServerConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// Registers a protocol, besides those before. A server without any has peers of every kind,
    /// but only the base protocol to speak.
    pub fn protocol(mut self, protocol: impl Into<Protocol>) -> Self {
        self.protocols.push(protocol.into());
        self
    }

    /// Registers several protocols, such as the versions of one.
    pub fn protocols<P: Into<Protocol>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// Listens on `addr`; port 0 picks a free one. Short for
    /// [`with_listen`](ServerConfig::with_listen) of the configuration, for nodes that need no other
    /// setting.
    pub fn listen(self, addr: SocketAddr) -> Self {
        self.configure(|config| config.with_listen(addr))
    }

    /// Names the address at which other nodes can dial this one, for its enode URL. Short for
    /// [`with_advertise`](ServerConfig::with_advertise) of the configuration.
    pub fn advertise(self, address: Advertised) -> Self {
        self.configure(|config| config.with_advertise(address))
    }

    /// Sets the node's [record](Server::record) as it was made elsewhere. It must be signed with the
    /// node's key. Addresses and ports in it stay as they are; its next version has the next sequence
    /// number.
    pub fn record(mut self, record: NodeRecord) -> Self {
        self.record = Some(record);
        self
    }

    /// Adds an entry to the node's [record](Server::record), such as the fork identifier that the protocol
    /// `eth` announces. A record has room for 300 bytes in all, of which about 170 are taken.
    pub fn record_entry(mut self, key: impl Into<Vec<u8>>, value: &impl Encodable) -> Self {
        self.entries.insert(key.into(), local_node::encoded(value));
        self
    }

    /// Keeps the node's [record](Server::record) in this file, so that its sequence number goes on after a
    /// restart, and only grows if something changed. A file that is damaged is kept aside. By default the
    /// number of the first record is the time.
    pub fn record_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.record_file = Some(path.into());
        self
    }

    /// Makes the node reachable behind a router, as the [module](super#behind-a-router) says. A router that
    /// cannot be asked does not stop the server; the log says why, and when it is asked again. Default:
    /// [`Nat::None`].
    pub fn nat(mut self, nat: Nat) -> Self {
        self.nat = nat;
        self
    }

    /// Has the node's port mapped by this gateway, in place of what [`nat`](Self::nat) would ask.
    pub fn gateway(mut self, gateway: impl Gateway) -> Self {
        self.gateway = Some(Box::new(gateway));
        self
    }

    /// Takes part in discovery: finds nodes to dial, as a [`source`](Self::source) for each version, and is
    /// found by its [record](Server::record). What was met before, and is remembered in the
    /// [store](Self::node_store) with a port for discovery, is asked first, beside the bootnodes.
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    pub fn discovery(mut self, discovery: super::Discovery) -> Self {
        self.discovery = Some(discovery);
        self
    }

    /// Finds nodes to dial, besides the sources before; all of them take turns. With a source the
    /// server keeps [a part of its places](ServerConfig::with_dial_ratio) filled by itself.
    pub fn source(mut self, source: impl AddressSource<Enode>) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Sets what remembers nodes, such as an address book. It is a [`source`](Self::source) too.
    pub fn node_store(mut self, store: impl NodeStore) -> Self {
        self.store = Some(Arc::new(Guarded(store)));
        self
    }

    /// Connects to nodes by other means than TCP: through a proxy, in memory. The
    /// [socket options](ServerConfig::with_socket) are the dialer's own matter then, and so is a name
    /// that leads [where it should not](ServerConfig::with_net_restrict).
    pub fn dialer<E>(self, dialer: E) -> ServerBuilder<E, L>
    where
        E: Dialer<Addr = Enode, Io: Transport>,
    {
        self.exchange(|_, listener| (Box::new(|_| dialer), listener))
    }

    /// Accepts connections from a listener that was made by other means, besides those on the
    /// [configured address](Self::listen). It takes the place of one that was set before. Events
    /// number it 1 if there is a configured address, and 0 if not.
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

    /// Sets whether handshake packets of the form before EIP-8, which no current implementation
    /// sends, are accepted. Default: they are not.
    pub fn legacy_handshake(mut self, legacy: Legacy) -> Self {
        self.legacy = legacy;
        self
    }

    /// Draws everything that is random from this seed, so that a run can be replayed: waits, and the
    /// keys of connections. For tests only: someone who knows the seed can read the messages. By
    /// default the system's randomness is used.
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seeded(seed);
        self
    }

    /// Stops the server when this future completes or panics: the end of a part of the application
    /// that the server should not go on without, such as the task that saves its address book. In
    /// [`ServerFailed`](super::ServerFailed) it has this name.
    pub fn stop_with(
        mut self,
        part: &'static str,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.parts.push((part, Box::pin(ended)));
        self
    }

    /// Gives all metrics of this server the label `node` with this value, so that two servers in one process
    /// differ. It needs the feature `metrics`, and is best unique in the process. Default: no such label,
    /// since Prometheus tells processes apart by itself.
    pub fn metrics_label(mut self, value: impl Into<Arc<str>>) -> Self {
        self.metrics_label = Some(value.into());
        self
    }

    /// Emits the peers' events to this feed, to which one can subscribe before the start, so that no
    /// event is missed. The configuration's [capacity](ServerConfig::with_event_capacity) and
    /// [choice](ServerConfig::with_message_events) of events do not apply to it.
    pub fn events(mut self, events: PeerEvents) -> Self {
        self.events = Some(events);
        self
    }

    /// As [`Server::subscribe_connections`], from before the start on, so that no event is missed,
    /// not even the first dial of a static node. Set the capacity of events first.
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

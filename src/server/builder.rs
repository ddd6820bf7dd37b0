use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast;

use super::events::ConnectionEvents;
use super::gate::NodeMemory;
use super::server::Server;
use super::{ConnectionEvent, NetList, NodeDialer, ServerConfig};
use crate::channel::MemoryLimits;
use crate::connmgr::{AddressSource, Dialer, DynSource, Listener};
use crate::node::{Enode, NodeId, SecretKey};
use crate::peer::{PeerConfig, PeerEvents, Protocol};
use crate::rlpx::Legacy;
use crate::transport::{SocketOptions, Transport};

/// The settings of a [`Server`] on its way to start. `D` connects to nodes, and `L` is a listener
/// besides the configured address.
#[must_use]
pub struct ServerBuilder<D = NodeDialer, L = TcpListener> {
    pub(super) key: SecretKey,
    pub(super) config: ServerConfig,
    pub(super) protocols: Vec<Protocol>,
    pub(super) trusted: Vec<NodeId>,
    pub(super) legacy: Legacy,
    pub(super) memory: Option<Arc<dyn NodeMemory>>,
    pub(super) sources: Vec<Box<dyn DynSource<Enode>>>,
    pub(super) events: Option<PeerEvents>,
    pub(super) connection_events: Option<ConnectionEvents>,
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
            trusted: Vec::new(),
            legacy: Legacy::default(),
            memory: None,
            sources: Vec::new(),
            events: None,
            connection_events: None,
            dialer: Box::new(|config| {
                let dialer = NodeDialer::default().with_socket_options(config.socket);
                match &config.net_restrict {
                    Some(networks) => dialer.with_permitted(networks.clone()),
                    None => dialer,
                }
            }),
            listener: None,
        }
    }
}

impl<D, L> ServerBuilder<D, L> {
    /// Replaces the whole configuration. What was set before by other methods that concern it is
    /// lost.
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.config = config;
        self
    }

    /// Changes the configuration, for what has no method here.
    pub fn configure(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets the client name in the Hello. Default: `peermux/v` and the version.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// Registers a protocol, besides those before. A server without any has peers of every kind,
    /// but only the base protocol to speak.
    pub fn protocol(mut self, protocol: impl Into<Protocol>) -> Self {
        self.protocols.push(protocol.into());
        self
    }

    /// Listens on `addr`; port 0 picks a free one. Default: no listener.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.config.listen = Some(addr);
        self
    }

    /// Sets [how many peers](ServerConfig::max_peers) are connected at most. Default: 50.
    pub fn max_peers(mut self, peers: usize) -> Self {
        self.config.max_peers = peers;
        self
    }

    /// Keeps [one of so many](ServerConfig::dial_ratio) peers' places for nodes that this one dials.
    pub fn dial_ratio(mut self, ratio: usize) -> Self {
        self.config.dial_ratio = ratio;
        self
    }

    /// Sets [how many inbound connections](ServerConfig::max_pending) may be in set-up at once.
    /// Default: 50.
    pub fn max_pending(mut self, connections: usize) -> Self {
        self.config.max_pending = connections;
        self
    }

    /// Sets how long a connection may take from its first byte to the end of both Hellos.
    /// Default: 5 s.
    pub fn setup_timeout(mut self, timeout: Duration) -> Self {
        self.config.setup_timeout = timeout;
        self
    }

    /// Sets how long a stream to a node may take to open. Default: 15 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// Bounds what the kernel holds for a connection. Default: [`SocketOptions::default`].
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.config.socket = options;
        self
    }

    /// Talks to these networks only, in both directions. Default: to all.
    pub fn net_restrict(mut self, networks: NetList) -> Self {
        self.config.net_restrict = Some(networks);
        self
    }

    /// Keeps a node connected for ever, besides those before; see
    /// [`Server::add_static`].
    pub fn static_node(mut self, node: Enode) -> Self {
        self.config.static_nodes.push(node);
        self
    }

    /// Exempts a node from the limits on peers; see [`Server::trust`].
    pub fn trusted_node(mut self, id: NodeId) -> Self {
        self.trusted.push(id);
        self
    }

    /// Finds nodes to dial, besides the sources before; all of them take turns. With a source the
    /// server keeps [a part of its places](ServerConfig::dial_ratio) filled by itself.
    pub fn source(mut self, source: impl AddressSource<Enode>) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Remembers nodes, such as an address book does, which is a [`source`](Self::source) too.
    pub fn node_memory(mut self, memory: impl NodeMemory) -> Self {
        self.memory = Some(Arc::new(memory));
        self
    }

    /// Connects to nodes by other means than TCP: through a proxy, in memory. The
    /// [`socket options`](Self::socket_options) are the dialer's own matter then, and so is a name
    /// that leads [where it should not](Self::net_restrict).
    pub fn dialer<E>(self, dialer: E) -> ServerBuilder<E, L>
    where
        E: Dialer<Addr = Enode, Io: Transport>,
    {
        self.exchange(|_, listener| (Box::new(|_| dialer), listener))
    }

    /// Accepts connections from a listener that was made by other means, as well as on the
    /// [configured address](Self::listen). It counts as listener 1 then, else as 0.
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
            trusted: self.trusted,
            legacy: self.legacy,
            memory: self.memory,
            sources: self.sources,
            events: self.events,
            connection_events: self.connection_events,
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

    /// Sets the timing of connected peers.
    pub fn peer_config(mut self, config: PeerConfig) -> Self {
        self.config.peer = config;
        self
    }

    /// Sets the bounds on the memory for received data.
    pub fn memory(mut self, limits: MemoryLimits) -> Self {
        self.config.memory_per_peer = limits.per_peer();
        self.config.memory_per_node = limits.per_node();
        self
    }

    /// Sets how many events a slow subscriber may be behind before it loses some. Default: 1024.
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.config.event_capacity = events;
        self
    }

    /// Emits the node's events to this feed. Subscribe before the start to receive every event,
    /// including the first dial of a static node. The configuration of events does not apply then.
    pub fn events(mut self, events: PeerEvents) -> Self {
        self.events = Some(events);
        self
    }

    /// As [`Server::subscribe_connections`], and misses nothing. Set the capacity of events first.
    pub fn subscribe_connections(&mut self) -> broadcast::Receiver<ConnectionEvent> {
        let capacity = self.config.event_capacity;
        let events = &mut self.connection_events;
        events
            .get_or_insert_with(|| ConnectionEvents::new(capacity))
            .subscribe()
    }

    /// Sets whether each message is an event too. Default: no.
    pub fn message_events(mut self, on: bool) -> Self {
        self.config.message_events = on;
        self
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

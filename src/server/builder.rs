use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::either::Either;

use super::events::ConnectionEvents;
use super::gate::{Gate, GateFilter};
use super::gated_dialer::GatedDialer;
use super::handle::Server;
use super::keeper::Keeper;
use super::listener::{SlotListener, SocketListener};
use super::memory::{NoMemory, NodeMemory};
use super::peer_set::PeerSet;
use super::prober::Prober;
use super::shared::{Inner, Parts, spawn_service};
use super::source::{DynSource, Mixed, Remembered};
use super::static_nodes::StaticNodes;
use super::waiters::Waiters;
use super::{
    ConnectionEvent, NetList, NodeDialer, NodeSource, ServerConfig, StartError, connections,
};
use crate::channel::{MemoryLimits, NodeBudget};
use crate::connmgr::admission::Admission;
use crate::connmgr::{ConnManager, Dialer, Listener};
use crate::driver::PeerOptions;
use crate::node::{Enode, NodeId, SecretKey};
use crate::p2p::{Hello, MAX_HELLO, P2P_VERSION, match_capabilities};
use crate::peer::Protocol;
use crate::peer::{PeerConfig, PeerEvents};
use crate::rlpx::Legacy;
use crate::transport::{SocketOptions, Transport};

/// The settings of a [`Server`] on its way to start. `D` connects to nodes, and `L` is a listener
/// besides the configured address.
#[must_use]
pub struct ServerBuilder<D = NodeDialer, L = TcpListener> {
    key: SecretKey,
    config: ServerConfig,
    protocols: Vec<Protocol>,
    trusted: Vec<NodeId>,
    legacy: Legacy,
    memory: Option<Arc<dyn NodeMemory>>,
    sources: Vec<Box<dyn DynSource>>,
    events: Option<PeerEvents>,
    connection_events: Option<ConnectionEvents>,
    dialer: DialerFor<D>,
    listener: Option<L>,
}

/// Makes the dialer once the configuration is known.
type DialerFor<D> = Box<dyn FnOnce(&ServerConfig) -> D + Send>;

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
    pub fn source(mut self, source: impl NodeSource) -> Self {
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
        M: Listener<Addr = SocketAddr, Io: Transport + AsyncRead + AsyncWrite + Unpin>,
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

    /// Emits the node's events to this feed. Who subscribed to it before the start misses none, such
    /// as the first of a static node. What the configuration says of events does not matter then.
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

    /// Who decides about connections, and where nodes to dial come from.
    fn gate(&mut self) -> (Arc<Gate>, Option<Mixed>) {
        let own = self.key.public_key().node_id();
        let memory = self.memory.take();
        let mut sources = std::mem::take(&mut self.sources);
        if let Some(memory) = &memory {
            sources.push(Box::new(Remembered(Arc::clone(memory))));
        }
        let memory = memory.unwrap_or_else(|| Arc::new(NoMemory));
        let seats = self.config.seats(!sources.is_empty());
        let gate = Gate {
            own,
            peers: PeerSet::new(own, seats),
            waiters: Waiters::default(),
            memory,
            permitted: self.config.net_restrict.clone(),
            exempt: self.config.throttle_exempt.clone(),
            admission: Admission::new(self.config.admission(), Instant::now()),
        };
        let dials = !sources.is_empty() && !self.config.no_dial;
        let gate = Arc::new(gate);
        let sources = dials.then(|| Mixed::new(sources, Arc::clone(&gate)));
        (gate, sources)
    }

    /// The Hello of all connections, once it is certain that the protocols go together.
    fn hello(&self, local_addr: Option<SocketAddr>) -> Result<Hello, StartError> {
        let mut seen = HashSet::new();
        if let Some(twice) = self.protocols.iter().find(|p| !seen.insert(p.capability())) {
            return Err(StartError::DuplicateProtocol(twice.capability().clone()));
        }
        let lengths: Vec<_> = self
            .protocols
            .iter()
            .map(|p| (p.capability().clone(), p.length()))
            .collect();
        let mut capabilities: Vec<_> = lengths.iter().map(|(cap, _)| cap.clone()).collect();
        capabilities.sort();
        match_capabilities(&lengths, &capabilities)?;
        let hello = Hello {
            version: P2P_VERSION,
            client: Bytes::from(self.config.name.clone()),
            capabilities,
            listen_port: local_addr.map_or(0, |addr| u64::from(addr.port())),
            public_key: self.key.public_key(),
        };
        match hello.encode().len() {
            size if size > MAX_HELLO => Err(StartError::HelloTooLarge {
                size,
                limit: MAX_HELLO,
            }),
            _ => Ok(hello),
        }
    }
}

impl<D, L> ServerBuilder<D, L>
where
    D: Dialer<Addr = Enode, Io: Transport>,
    L: Listener<Addr = SocketAddr, Io: Transport + AsyncRead + AsyncWrite + Unpin>,
{
    /// Starts the server in the current tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] if the address cannot be listened on, if the protocols cannot be
    /// offered together, if the configuration cannot work, or if a static node cannot be dialled.
    pub async fn start(mut self) -> Result<Server, StartError> {
        let bound = match self.config.listen {
            Some(addr) => Some(
                TcpListener::bind(addr)
                    .await
                    .map_err(|source| StartError::Listen { addr, source })?,
            ),
            None => None,
        };
        let local_addr = bound
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let hello = self.hello(local_addr)?;
        let (gate, sources) = self.gate();
        let config = self.config;
        let trusted = config.trusted_nodes.iter().map(Enode::node_id);
        for id in trusted.chain(self.trusted) {
            gate.peers.set_trusted(id, true);
        }

        let dialer = Arc::new((self.dialer)(&config));
        let gated = GatedDialer::new(Arc::clone(&dialer), Arc::clone(&gate));
        let places = gate.peers.seats().dialled();
        let target = places.saturating_sub(config.static_nodes.len());
        let slots = Arc::new(Semaphore::new(config.max_pending.max(1)));
        let mut manager = ConnManager::builder(gated)
            .config(config.connections(target))
            .filter(GateFilter(Arc::clone(&gate)));
        if let Some(sources) = sources {
            manager = manager.source(sources);
        }
        if let Some(listener) = bound {
            let options = config.socket;
            manager = manager.listener(SlotListener {
                listener: SocketListener { listener, options },
                slots: Arc::clone(&slots),
                convert: |stream| Either::Right(Either::Left(stream)),
            });
        }
        if let Some(listener) = self.listener {
            manager = manager.listener(SlotListener {
                listener,
                slots,
                convert: |stream| Either::Right(Either::Right(stream)),
            });
        }
        let (manager, connections, opened) = manager.build()?;
        let (static_nodes, commands) = StaticNodes::new();
        let events = self
            .events
            .unwrap_or_else(|| PeerEvents::new(config.event_capacity, config.message_events));
        let connection_events = self
            .connection_events
            .unwrap_or_else(|| ConnectionEvents::new(config.event_capacity));
        let inner = Arc::new(Inner::new(Parts {
            gate,
            key: self.key,
            hello,
            protocols: self.protocols,
            local_addr,
            setup_timeout: config.setup_timeout,
            legacy: self.legacy,
            options: PeerOptions {
                config: config.peer,
                budget: NodeBudget::new(config.memory()),
                events: Some(events.clone()),
            },
            events,
            connection_events,
            connections,
            static_nodes,
        }));
        let keeper = Keeper::new(Arc::clone(&inner), config.retry());
        spawn_service(&inner, manager.run());
        spawn_service(&inner, connections::run(Arc::clone(&inner), opened));
        spawn_service(&inner, keeper.run(commands));
        if !config.no_dial && !config.probe_interval.is_zero() {
            let prober = Prober {
                inner: Arc::clone(&inner),
                dialer,
                interval: config.probe_interval,
                connect_timeout: config.connect_timeout,
            };
            spawn_service(&inner, prober.run());
        }
        let server = Server::new(inner);
        for node in config.static_nodes {
            server.add_static(node).await?;
        }
        Ok(server)
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

//! Starts a server from its settings.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rand::RngExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::either::Either;

use super::accept::{SlotListener, Slots, SocketListener};
use super::builder::ServerBuilder;
use super::checks::{Bans, Checks, ChecksFilter, KnownIps, NoStore, PeerSet, Scores, TieBreak};
use super::dial::{Mixed, Prober, Remembered, ServerDialer, Waiters, nodes_of};
#[cfg(any(feature = "discv4", feature = "discv5"))]
use super::discovery;
use super::local_node::{self, LocalNode, LocalNodeSettings};
use super::mapping::Mapper;
use super::meters::ServerMeters;
use super::recordings::Recordings;
#[cfg(feature = "metrics")]
use super::sampler;
use super::server::Server;
use super::shared::{FAREWELLS, Shared, Tasks, spawn_service};
use super::static_nodes::{Keeper, StaticNodes};
use super::{StartError, connection, suspend};
use crate::channel::{Meters, NodeBudget};
use crate::connmgr::admission::Admission;
use crate::connmgr::{ConnManager, DialFilter, Dialer, Listener};
use crate::driver::PeerOptions;
use crate::event_stream::EventFeed;
use crate::mutex::Mutex;
use crate::node::{Enode, Node, NodeRecord};
use crate::p2p::{Hello, MAX_CAPABILITIES, MAX_HELLO, check_lengths};
use crate::peer::{PeerEvents, Protocol, prepare_disconnects};
use crate::runtime;
use crate::setup::Turns;
use crate::transport::Transport;

/// The number of nodes from the store with which discovery begins.
#[cfg(any(feature = "discv4", feature = "discv5"))]
const KNOWN: usize = 64;

impl<D, L> ServerBuilder<D, L> {
    /// Creates the checks, and the mixed source of nodes to dial, if any.
    fn checks(&mut self, permitted: DialFilter<Node>) -> (Arc<Checks>, Option<Mixed>) {
        let own = self.key.public_key().node_id();
        let store = self.store.take();
        let mut sources = std::mem::take(&mut self.sources);
        if let Some(store) = &store {
            sources.push(nodes_of(Remembered(Arc::clone(store))));
        }
        let store = store.unwrap_or_else(|| Arc::new(NoStore));
        let seats = self.config.seats(!sources.is_empty());
        let checks = Checks {
            own,
            peers: PeerSet::new(
                own,
                seats,
                self.config.whitelist().clone(),
                self.random.fork().random(),
            ),
            waiters: Waiters::default(),
            store,
            bans: Bans::default(),
            scores: Scores::default(),
            has_source: !sources.is_empty(),
            config: Mutex::new(self.config.clone()),
            warned_of_hidden: AtomicBool::new(false),
            known: KnownIps::default(),
            admission: Admission::new(self.config.admission()),
        };
        let dials = !sources.is_empty() && !self.config.no_dial();
        let checks = Arc::new(checks);
        let sources = dials.then(|| Mixed::new(sources, permitted));
        (checks, sources)
    }

    /// Registers the metrics and creates the counters.
    fn server_meters(&self, meters: Meters) -> ServerMeters {
        #[cfg(feature = "metrics")]
        crate::metrics::describe();
        let protocols = || self.protocols.iter().map(Protocol::capability);
        prepare_disconnects(meters.node(), protocols());
        for capability in protocols() {
            meters.of_protocol(capability);
        }
        ServerMeters::new(meters)
    }

    /// Rejects a record of another node.
    fn check_record(&self) -> Result<(), StartError> {
        let of = self.record.as_ref().map(NodeRecord::node_id);
        match of.filter(|of| *of != self.id()) {
            Some(of) => Err(StartError::ForeignRecord { of, own: self.id() }),
            None => Ok(()),
        }
    }

    fn local_node(
        &mut self,
        bound: Option<SocketAddr>,
        udp: Option<u16>,
    ) -> Result<LocalNode, StartError> {
        for key in self.entries.keys() {
            local_node::check_key(key)?;
        }
        let port = bound.map(|addr| addr.port());
        let advertised = self.config.advertise().as_ref();
        let settings = LocalNodeSettings {
            record: self.record.take(),
            entries: std::mem::take(&mut self.entries),
            file: self.record_file.take(),
            advertised: advertised.and_then(|advertised| advertised.endpoint(port)),
            external_ip: self.nat.external_ip(),
            bound,
            udp,
        };
        LocalNode::new(&self.key, settings).map_err(StartError::Record)
    }

    /// Binds the socket of discovery, if enabled.
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    fn bind_discovery(
        &self,
        listener: Option<SocketAddr>,
    ) -> Result<Option<discovery::Bound>, StartError> {
        let bound = self.discovery.as_ref();
        let bound = bound.map(|settings| discovery::bind(settings, listener));
        let bound = bound.transpose();
        bound.map_err(|(addr, source)| StartError::DiscoveryBind { addr, source })
    }

    /// Starts discovery, and adds a source of nodes for each version of discovery.
    #[cfg(any(feature = "discv4", feature = "discv5"))]
    async fn start_discovery(
        &mut self,
        bound: Option<discovery::Bound>,
        local_node: &LocalNode,
    ) -> Result<Option<discovery::Running>, StartError> {
        let Some((settings, bound)) = self.discovery.take().zip(bound) else {
            return Ok(None);
        };
        let known = self.store.as_ref().map(|store| store.draw(KNOWN));
        let known = known.unwrap_or_default();
        let record = local_node.record();
        let running = discovery::start(settings, bound, &self.key, &record, &known).await?;
        let label = crate::metrics::NodeLabel::new(self.metrics_label.as_ref());
        self.sources.extend(running.sources(&label));
        Ok(Some(running))
    }

    /// Checks the protocols, and returns the Hello of all connections.
    fn hello(&self, enode: &Enode) -> Result<Hello, StartError> {
        if self.protocols.len() > MAX_CAPABILITIES {
            return Err(StartError::TooManyProtocols {
                got: self.protocols.len(),
                limit: MAX_CAPABILITIES,
            });
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.protocols.iter().find(|p| !seen.insert(p.capability())) {
            return Err(StartError::DuplicateProtocol(twice.capability().clone()));
        }
        let mut registered = self.protocols.iter().map(Protocol::capability);
        if let Some(wrong) = registered.find(|capability| !capability.is_registrable()) {
            return Err(StartError::ProtocolName(wrong.clone()));
        }
        for protocol in &self.protocols {
            let source = protocol.limits().check();
            source.map_err(|source| StartError::Limits {
                protocol: protocol.capability().clone(),
                source,
            })?;
        }
        let lengths: Vec<_> = self
            .protocols
            .iter()
            .map(|p| (p.capability().clone(), p.length()))
            .collect();
        let mut capabilities: Vec<_> = lengths.iter().map(|(cap, _)| cap.clone()).collect();
        capabilities.sort();
        check_lengths(&lengths)?;
        let client = self.config.name().to_owned();
        let mut hello = Hello::new(client, capabilities, self.key.public_key());
        hello.listen_port = enode
            .tcp_endpoint()
            .map_or(0, |endpoint| endpoint.tcp.into());
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
    L: Listener<Addr = SocketAddr, Io: Transport>,
{
    /// Starts the server in the current tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] if the server cannot start. For example, the listening address cannot be
    /// bound, the protocols cannot be offered together, a setting is too small, or the runtime
    /// lacks timers or I/O. A static node that cannot be dialled is
    /// [skipped](super::ConnectionEvent::StaticNodeSkipped) instead.
    pub async fn start(mut self) -> Result<Server, StartError> {
        let runtime = runtime::with_io()?;
        self.config.check()?;
        self.check_record()?;
        let gateway = match self.gateway.take() {
            Some(gateway) => Some(gateway),
            None => self.nat.gateway()?,
        };
        let budget = NodeBudget::new(self.config.memory())?;
        let label = self.metrics_label.clone();
        let peer_meters = label.map_or_else(Meters::default, Meters::labelled);
        let meters = self.server_meters(peer_meters.clone());
        let bound = match *self.config.listen() {
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
        let udp = None;
        #[cfg(any(feature = "discv4", feature = "discv5"))]
        let socket = self.bind_discovery(local_addr)?;
        #[cfg(any(feature = "discv4", feature = "discv5"))]
        let udp = socket.as_ref().map(|socket| socket.port).or(udp);
        let local_node = self.local_node(local_addr, udp)?;
        #[cfg(any(feature = "discv4", feature = "discv5"))]
        let discovery = self.start_discovery(socket, &local_node).await?;
        let hello = self.hello(&local_node.enode())?;
        let permitted = DialFilter::new(|_| true);
        #[cfg(any(feature = "discv4", feature = "discv5"))]
        let permitted = (discovery.as_ref()).map_or(permitted, discovery::Running::wanted);
        let (checks, sources) = self.checks(permitted);
        let config = self.config;
        checks.set_known(&[], &config);

        let dialer = Arc::new((self.dialer)(&checks, meters.node()));
        let checked = ServerDialer::new(Arc::clone(&dialer), Arc::clone(&checks), meters.clone());
        let places = checks.peers.seats().dialled();
        let target = places.saturating_sub(config.static_nodes().len());
        let slots = Slots::new(config.max_pending());
        let mut manager = ConnManager::builder(checked)
            .config(config.connections(target))
            .rng(self.random.fork())
            .filter(ChecksFilter(Arc::clone(&checks)));
        if let Some(sources) = sources {
            manager = manager.source(sources);
        }
        if let Some(listener) = bound {
            let options = config.socket();
            let node = meters.node().clone();
            let listener = SocketListener {
                listener,
                options,
                node,
            };
            manager = manager.listener(SlotListener::new(listener, &slots, &checks, |stream| {
                Either::Right(Either::Left(stream))
            }));
        }
        if let Some(listener) = self.listener {
            manager = manager.listener(SlotListener::new(listener, &slots, &checks, |stream| {
                Either::Right(Either::Right(stream))
            }));
        }
        let (manager, connections, opened) = manager.build()?;
        let (static_nodes, inbox) = StaticNodes::new();
        let events = self
            .events
            .unwrap_or_else(|| PeerEvents::new(config.event_capacity(), config.message_events()));
        let connection_events = self
            .connection_events
            .unwrap_or_else(|| EventFeed::new(config.event_capacity()));
        let shared = Arc::new(Shared {
            meters,
            tie_break: TieBreak::new(checks.own),
            random: self.random,
            turns: Turns::new(),
            farewells: Arc::new(Semaphore::new(FAREWELLS)),
            checks,
            key: self.key,
            hello,
            protocols: self.protocols,
            local_addr,
            local_node,
            #[cfg(feature = "discv4")]
            discv4: discovery.as_ref().and_then(|running| running.v4.clone()),
            #[cfg(feature = "discv5")]
            discv5: discovery.as_ref().and_then(|running| running.v5.clone()),
            setup_timeout: config.setup_timeout(),
            slots,
            legacy: self.legacy,
            options: PeerOptions::default()
                .with_config(config.peer())
                .with_budget(budget)
                .with_events(events.clone())
                .with_meters(peer_meters),
            events,
            connection_events,
            connections,
            static_nodes,
            recordings: Recordings::default(),
            tasks: Tasks::new(runtime),
        });
        let keeper = Keeper::new(Arc::clone(&shared), config.retry());
        spawn_service(&shared, "connection manager", manager.run());
        let accept = connection::run(Arc::clone(&shared), opened);
        spawn_service(&shared, "reader of connections", accept);
        spawn_service(&shared, "keeper of static nodes", keeper.run(inbox));
        #[cfg(feature = "metrics")]
        spawn_service(&shared, "sampler", sampler::run(Arc::clone(&shared)));
        if !config.no_dial() {
            let watch = suspend::watch(Arc::clone(&shared));
            spawn_service(&shared, "watch for suspends", watch);
        }
        if !config.no_dial() && !config.probe_interval().is_zero() {
            let prober = Prober {
                shared: Arc::clone(&shared),
                dialer,
                interval: config.probe_interval(),
            };
            spawn_service(&shared, "prober", prober.run());
        }
        #[cfg(any(feature = "discv4", feature = "discv5"))]
        if let Some(running) = discovery {
            let beside = discovery::run(Arc::clone(&shared), running);
            spawn_service(&shared, "discovery", beside);
        }
        if let Some(gateway) = gateway {
            let mapper = Mapper::new(Arc::clone(&shared), gateway);
            spawn_service(&shared, "port mapping", mapper.run());
        }
        for (part, ended) in self.parts {
            let stopping = shared.tasks.stopping.clone();
            // A stopping server does not wait for the part, so this task ends as soon as the stop
            // begins.
            let ended = async move {
                stopping.run_until_cancelled(ended).await;
            };
            spawn_service(&shared, part, ended);
        }
        let server = Server::new(Arc::clone(&shared));
        // Without static nodes there is nothing to wait for.
        if !config.static_nodes().is_empty() {
            // This call fails only if the server has already failed, which its handle reports.
            shared.static_nodes.config_changed().await.ok();
        }
        Ok(server)
    }
}

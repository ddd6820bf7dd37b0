use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle::{Inner, Server, spawn};
use super::peer_set::{PeerSet, Seats};
use super::tie_break::TieBreak;
use super::{SocketOptions, StartError, listener};
use crate::node::SecretKey;
use crate::p2p::{Hello, MAX_HELLO, P2P_VERSION, match_capabilities};
use crate::peer::{MemoryLimits, NodeBudget, PeerConfig, PeerEvents, PeerOptions};
use crate::protocol::Protocol;
use crate::rlpx::Legacy;

/// The settings of a [`Server`] on its way to start.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerBuilder {
    key: SecretKey,
    name: String,
    protocols: Vec<Protocol>,
    listen: Option<SocketAddr>,
    max_peers: usize,
    dial_ratio: usize,
    limits: Limits,
    legacy: Legacy,
    peer: PeerConfig,
    memory: MemoryLimits,
    event_capacity: usize,
    message_events: bool,
}

/// Bounds on setting connections up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_pending: usize,
    pub(crate) setup_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) socket: SocketOptions,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pending: 50,
            setup_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(15),
            socket: SocketOptions::default(),
        }
    }
}

impl ServerBuilder {
    pub(super) fn new(key: SecretKey) -> Self {
        Self {
            key,
            name: concat!("peermux/v", env!("CARGO_PKG_VERSION")).to_owned(),
            protocols: Vec::new(),
            listen: None,
            max_peers: 50,
            dial_ratio: 0,
            limits: Limits::default(),
            legacy: Legacy::default(),
            peer: PeerConfig::default(),
            memory: MemoryLimits::default(),
            event_capacity: 1024,
            message_events: false,
        }
    }

    /// Sets the client name in the Hello. Default: `peermux/v` and the version.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
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
        self.listen = Some(addr);
        self
    }

    /// Sets how many peers are connected at most; further ones are refused with
    /// [`TOO_MANY_PEERS`](crate::DisconnectReason::TOO_MANY_PEERS). Default: 50.
    pub fn max_peers(mut self, peers: usize) -> Self {
        self.max_peers = peers;
        self
    }

    /// Keeps one of so many peers' places for nodes that this one dials, at least one; 0, the
    /// default, keeps none.
    pub fn dial_ratio(mut self, ratio: usize) -> Self {
        self.dial_ratio = ratio;
        self
    }

    /// Sets how many inbound connections may be in set-up at once; further ones wait in the
    /// kernel's queue. At least 1. Default: 50.
    pub fn max_pending(mut self, connections: usize) -> Self {
        self.limits.max_pending = connections.max(1);
        self
    }

    /// Sets how long a connection may take from its first byte to the end of both Hellos.
    /// Default: 5 s.
    pub fn setup_timeout(mut self, timeout: Duration) -> Self {
        self.limits.setup_timeout = timeout;
        self
    }

    /// Sets how long a TCP connection may take to come about. Default: 15 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// Bounds what the kernel holds for a connection. Default: [`SocketOptions::default`].
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.limits.socket = options;
        self
    }

    /// Sets whether handshake packets of the form before EIP-8, which no current implementation
    /// sends, are accepted. Default: they are not.
    pub fn legacy_handshake(mut self, legacy: Legacy) -> Self {
        self.legacy = legacy;
        self
    }

    /// Sets the timing of connected peers.
    pub fn peer_config(mut self, config: PeerConfig) -> Self {
        self.peer = config;
        self
    }

    /// Sets the bounds on the memory for received data.
    pub fn memory(mut self, limits: MemoryLimits) -> Self {
        self.memory = limits;
        self
    }

    /// Sets how many events a slow subscriber may be behind before it loses some. Default: 1024.
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events;
        self
    }

    /// Sets whether each message is an event too. Default: no.
    pub fn message_events(mut self, on: bool) -> Self {
        self.message_events = on;
        self
    }

    /// Starts the server in the current tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] if the address cannot be listened on, or if the protocols cannot be
    /// offered together.
    pub async fn start(self) -> Result<Server, StartError> {
        let listener = match self.listen {
            Some(addr) => {
                let bind = TcpListener::bind(addr).await;
                Some(bind.map_err(|source| StartError::Listen { addr, source })?)
            }
            None => None,
        };
        let local_addr = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let hello = self.hello(local_addr)?;
        let events = PeerEvents::new(self.event_capacity, self.message_events);
        let inner = Arc::new(Inner {
            peers: PeerSet::new(
                self.key.public_key().node_id(),
                Seats::new(self.max_peers, self.dial_ratio),
            ),
            tie_break: TieBreak::new(self.key.public_key().node_id()),
            key: self.key,
            hello,
            protocols: self.protocols,
            local_addr,
            limits: self.limits,
            legacy: self.legacy,
            options: PeerOptions {
                config: self.peer,
                budget: NodeBudget::new(self.memory),
                events: Some(events.clone()),
            },
            events,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
        });
        if let Some(listener) = listener {
            spawn(&inner, listener::run(Arc::clone(&inner), listener));
        }
        Ok(Server::new(inner))
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
            client: Bytes::from(self.name.clone()),
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

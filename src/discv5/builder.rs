use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use discv5::{ConfigBuilder, ListenConfig};
use tokio::net::UdpSocket;

use super::handle::Discv5;
use super::record::{is_public, to_enr, to_key};
use super::talk::{Talk, Talks};
use super::{Discv5Config, Discv5Error, Discv5Events};
use crate::node::{NodeRecord, SecretKey};
use crate::runtime;

/// The UDP sockets of discovery, one for each address family.
#[derive(Debug, Clone)]
pub struct Sockets {
    v4: Option<Arc<UdpSocket>>,
    v6: Option<Arc<UdpSocket>>,
}

impl Sockets {
    /// Uses one socket of either family.
    ///
    /// # Errors
    /// The operating system's error if it cannot return the socket's address.
    pub fn one(socket: Arc<UdpSocket>) -> io::Result<Self> {
        let none = Self { v4: None, v6: None };
        Ok(match socket.local_addr()? {
            SocketAddr::V4(_) => Self {
                v4: Some(socket),
                ..none
            },
            SocketAddr::V6(_) => Self {
                v6: Some(socket),
                ..none
            },
        })
    }

    /// Uses one socket of each family.
    ///
    /// The IPv6 socket must not receive IPv4 packets.
    #[must_use]
    pub fn both(v4: Arc<UdpSocket>, v6: Arc<UdpSocket>) -> Self {
        Self {
            v4: Some(v4),
            v6: Some(v6),
        }
    }
}

/// Builds a [`Discv5`].
#[must_use]
pub struct Discv5Builder {
    key: SecretKey,
    record: NodeRecord,
    config: Discv5Config,
    bootnodes: Vec<NodeRecord>,
    talks: Talks,
}

impl Discv5 {
    /// Starts to build a node with this static key and record.
    ///
    /// Others find its address in the record.
    pub fn builder(key: SecretKey, record: NodeRecord) -> Discv5Builder {
        Discv5Builder::new(key, record)
    }
}

impl Discv5Builder {
    fn new(key: SecretKey, record: NodeRecord) -> Self {
        Self {
            key,
            record,
            config: Discv5Config::default(),
            bootnodes: Vec::new(),
            talks: Talks::default(),
        }
    }

    /// Sets the configuration.
    pub fn config(mut self, config: Discv5Config) -> Self {
        self.config = config;
        self
    }

    /// Adds nodes to start from.
    ///
    /// Without bootnodes, the node finds no others until another node contacts it.
    pub fn bootnodes(mut self, records: impl IntoIterator<Item = NodeRecord>) -> Self {
        self.bootnodes.extend(records);
        self
    }

    /// Sets the handler for talk requests to a protocol.
    ///
    /// An answer is at most 1,024 bytes long; return an empty one if there is nothing to answer. A
    /// panic affects only one request.
    pub fn talk<F, Fut>(mut self, protocol: impl Into<Vec<u8>>, answer: F) -> Self
    where
        F: Fn(Talk) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<u8>> + Send + 'static,
    {
        self.talks.insert(protocol.into(), answer);
        self
    }

    /// Starts discovery in the current tokio runtime.
    ///
    /// Discovery ends with [`Discv5::shutdown`], or when the last clone of the handle is dropped.
    ///
    /// # Errors
    /// [`Discv5Error`] if the record is another node's, if a bootnode's record has no address that
    /// these sockets reach or has one that [may not take part](Discv5Config::private_networks), or
    /// if there is no socket or runtime.
    pub async fn start(self, sockets: Sockets) -> Result<(Discv5, Discv5Events), Discv5Error> {
        runtime::with_io()?;
        let own = self.key.public_key().node_id();
        if self.record.node_id() != own {
            let of = self.record.node_id();
            return Err(Discv5Error::ForeignRecord { of, own });
        }
        if sockets.v4.is_none() && sockets.v6.is_none() {
            return Err(Discv5Error::NoSocket);
        }
        let listen = ListenConfig::FromSockets {
            ipv4: sockets.v4,
            ipv6: sockets.v6,
        };
        let mut config = ConfigBuilder::new(listen);
        // These functions of the crate are turned off, because this node itself maintains its
        // record and evaluates its observed addresses.
        config.disable_enr_update();
        config.auto_nat_listen_duration(None);
        config.disable_report_discovered_peers();
        config.request_timeout(self.config.request_timeout());
        config.query_timeout(self.config.lookup_timeout());
        config.ping_interval(self.config.ping_interval());
        if !self.config.private_networks() {
            config.table_filter(is_public);
            if self.config.limit_networks() {
                config.ip_limit();
            }
        }
        let enr = to_enr(&self.record)?;
        let key = to_key(&self.key, &own)?;
        let service = discv5::Discv5::new(enr, key, config.build());
        let mut service = service.map_err(|why| Discv5Error::Record {
            node: own,
            why: why.to_owned(),
        })?;
        for record in &self.bootnodes {
            let added = service.add_enr(to_enr(record)?);
            added.map_err(|why| Discv5Error::Record {
                node: record.node_id(),
                why: why.to_owned(),
            })?;
        }
        service.start().await.map_err(started)?;
        Discv5::run(service, self.config, self.talks).await
    }
}

fn started(error: discv5::Error) -> Discv5Error {
    match error {
        discv5::Error::Io(error) => Discv5Error::Io(error),
        other => Discv5Error::Io(io::Error::other(other.to_string())),
    }
}

impl fmt::Debug for Discv5Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discv5Builder")
            .field("record", &self.record)
            .field("config", &self.config)
            .field("bootnodes", &self.bootnodes.len())
            .field("talks", &self.talks)
            .finish_non_exhaustive()
    }
}

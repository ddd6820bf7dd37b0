use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use discv5::{NodeContact, RequestError};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use super::events::{self, outlets};
use super::record::{from_enr, to_enr, to_id};
use super::talk::Talks;
use super::{Discv5Config, Discv5Error, Discv5Events};
use crate::mutex::Mutex;
use crate::node::{NodeId, NodeRecord};

/// A handle to a running node of Discovery v5; cheap to clone.
///
/// The node ends with [`shutdown`](Self::shutdown), or when the last clone is dropped.
#[derive(Clone)]
pub struct Discv5 {
    /// The service, which holds the socket; `None` once discovery has ended.
    service: Arc<Mutex<Option<discv5::Discv5>>>,
    _last: Arc<DropGuard>,
}

impl Discv5 {
    pub(super) async fn run(
        service: discv5::Discv5,
        config: Discv5Config,
        talks: Talks,
    ) -> Result<(Self, Discv5Events), Discv5Error> {
        let theirs = service.event_stream().await;
        let theirs = theirs.map_err(|_| Discv5Error::Ended)?;
        let stop = CancellationToken::new();
        let (outlets, observed, events) = outlets();
        let service = Arc::new(Mutex::new(Some(service)));
        let weak = Arc::downgrade(&service);
        let asks = events::observe(weak.clone(), config.observe_interval(), observed);
        let listen = events::listen(theirs, weak, outlets, talks, config, stop.clone());
        for task in [
            Box::pin(listen) as futures::future::BoxFuture<'static, ()>,
            Box::pin(asks),
        ] {
            let stop = stop.clone();
            let task = async move {
                stop.run_until_cancelled(task).await;
            };
            tokio::spawn(task.in_current_span());
        }
        let discovery = Self {
            service,
            _last: Arc::new(stop.drop_guard()),
        };
        Ok((discovery, events))
    }

    /// Calls `ask` on the service, unless discovery has ended.
    ///
    /// Callers await the result without holding the lock.
    pub(super) fn service<T>(
        &self,
        ask: impl FnOnce(&discv5::Discv5) -> T,
    ) -> Result<T, Discv5Error> {
        let service = self.service.lock();
        service.as_ref().map(ask).ok_or(Discv5Error::Ended)
    }

    /// Replaces the node's record.
    ///
    /// # Errors
    /// [`Discv5Error::ForeignRecord`] if the record is another node's, [`Discv5Error::Ended`] if
    /// discovery has ended.
    pub fn set_record(&self, record: &NodeRecord) -> Result<(), Discv5Error> {
        let external = self.service(discv5::Discv5::external_enr)?;
        let mut enr = external.write();
        let own = super::record::from_id(&enr.node_id());
        let of = record.node_id();
        if of != own {
            return Err(Discv5Error::ForeignRecord { of, own });
        }
        *enr = to_enr(record)?;
        Ok(())
    }

    /// Ends discovery for all clones of this handle.
    ///
    /// From then on no packet is answered, and the socket is released a moment later.
    pub fn shutdown(&self) {
        drop(self.service.lock().take());
    }

    /// Adds a node to the table, if the table has room.
    ///
    /// # Errors
    /// [`Discv5Error::Record`] if the record has no address that this node's sockets reach, has one
    /// that [may not take part](Discv5Config::private_networks), or if the limits per network leave
    /// no room; [`Discv5Error::Ended`] if discovery has ended.
    pub fn add(&self, record: &NodeRecord) -> Result<(), Discv5Error> {
        let enr = to_enr(record)?;
        let added = self.service(|service| service.add_enr(enr))?;
        added.map_err(|why| Discv5Error::Record {
            node: record.node_id(),
            why: why.to_owned(),
        })
    }

    /// Looks up the nodes nearest to an id.
    ///
    /// Returns at most 16 nodes, the nearest first, without nodes whose signature scheme RLPx does
    /// not use. The call takes at most the [lookup timeout](Discv5Config::lookup_timeout).
    ///
    /// # Errors
    /// [`Discv5Error::Ended`] if discovery has ended.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn lookup(&self, target: &NodeId) -> Result<Vec<NodeRecord>, Discv5Error> {
        let found = self.service(|service| {
            // The crate is not asked while the table is empty, because it would log a warning each
            // time.
            let nobody = service.table_entries_id().is_empty();
            (!nobody).then(|| service.find_node(to_id(target)))
        })?;
        let Some(found) = found else {
            return Ok(Vec::new());
        };
        let found = found.await.map_err(|_| Discv5Error::Ended)?;
        Ok(found.iter().filter_map(from_enr).collect())
    }

    /// Looks up one node's newest record.
    ///
    /// # Errors
    /// [`Discv5Error::Ended`] if discovery has ended.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn resolve(&self, node: &NodeId) -> Result<Option<NodeRecord>, Discv5Error> {
        let found = self.lookup(node).await?;
        let found = found.into_iter().find(|record| record.node_id() == *node);
        let known = || self.service(|service| service.find_enr(&to_id(node)));
        Ok(found.or_else(|| from_enr(&known().ok()??)))
    }

    /// Returns the nodes in the table, and whether each answered last time.
    ///
    /// Empty once discovery has ended.
    #[must_use]
    pub fn table(&self) -> Vec<(NodeRecord, bool)> {
        let entries = self.service(discv5::Discv5::table_entries);
        let entries = entries.unwrap_or_default().into_iter();
        let entries = entries.map(|(_, enr, status)| (from_enr(&enr), status.is_connected()));
        entries
            .filter_map(|(record, answered)| Some((record?, answered)))
            .collect()
    }

    /// Returns the number of nodes in the table.
    #[cfg(feature = "metrics")]
    pub(crate) fn table_len(&self) -> usize {
        let entries = self.service(discv5::Discv5::table_entries_id);
        entries.map_or(0, |entries| entries.len())
    }

    /// Sends a talk request of a protocol to a node, and returns its answer.
    ///
    /// The answer is empty if the node does not speak the protocol. Request and answer are each at
    /// most about 1,100 bytes long.
    ///
    /// # Errors
    /// [`Discv5Error::TimedOut`] if no answer arrived, [`Discv5Error::Record`] if the node's
    /// address cannot be reached, [`Discv5Error::Ended`] if discovery has ended,
    /// [`Discv5Error::Request`] otherwise.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn talk(
        &self,
        node: &NodeRecord,
        protocol: impl AsRef<[u8]>,
        request: impl AsRef<[u8]>,
    ) -> Result<Vec<u8>, Discv5Error> {
        let id = node.node_id();
        let mode = self.service(discv5::Discv5::ip_mode)?;
        let contact = NodeContact::try_from_enr(to_enr(node)?, mode);
        let contact = contact.map_err(|_| Discv5Error::Record {
            node: id,
            why: "it has no reachable address".to_owned(),
        })?;
        let (protocol, request) = (protocol.as_ref().to_vec(), request.as_ref().to_vec());
        let answer = self.service(|service| service.talk_req(contact, protocol, request))?;
        answer.await.map_err(|error| failed(id, &error))
    }

    /// Pings a node, and returns the address at which it sees this one.
    ///
    /// # Errors
    /// The errors of [`talk`](Self::talk).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ping(&self, node: &NodeRecord) -> Result<SocketAddr, Discv5Error> {
        let id = node.node_id();
        let enr = to_enr(node)?;
        let pong = self.service(|service| service.send_ping(enr))?;
        let pong = pong.await.map_err(|error| failed(id, &error))?;
        Ok(SocketAddr::new(pong.ip, pong.port))
    }
}

fn failed(node: NodeId, error: &RequestError) -> Discv5Error {
    match error {
        RequestError::Timeout => Discv5Error::TimedOut { node },
        RequestError::ServiceNotStarted | RequestError::ChannelFailed(_) => Discv5Error::Ended,
        other => Discv5Error::Request {
            node,
            why: other.to_string(),
        },
    }
}

impl fmt::Debug for Discv5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discv5")
            .field("connected", &self.service(discv5::Discv5::connected_peers))
            .finish_non_exhaustive()
    }
}

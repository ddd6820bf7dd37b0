//! The address book as a server's store.

use std::net::IpAddr;
use std::time::Duration;

use tracing::debug;

use super::{BanInfo, NodeStore, StoreSizes};
use crate::addrbook::{AddressBook, BanTarget, BookSizes, Source};
use crate::node::{Enode, Host, NodeId};
use crate::peer::PeerError;
use crate::rlpx::FrameError;

/// An address book is a store of nodes for a server.
///
/// Pass a clone of the book to
/// [`ServerBuilder::node_store`](crate::server::ServerBuilder::node_store). The server then dials
/// nodes from the book, the book records each outcome, and banned nodes are rejected.
///
/// ```
/// use std::time::Duration;
/// use peermux::addrbook::{AddressBook, AddressBookConfig, MemoryStore, Source, SystemClock};
/// use peermux::{SecretKey, Server};
/// use tokio_util::sync::CancellationToken;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = SystemClock::new();
/// let store = MemoryStore::default();
/// let (book, persistence) =
///     AddressBook::load(store, AddressBookConfig::default(), clock).await?;
/// let stop = CancellationToken::new();
/// let writer = tokio::spawn(persistence.run(stop.clone().cancelled_owned()));
///
/// let key = SecretKey::generate();
/// let server = Server::builder(key).node_store(book.clone()).start().await?;
/// // Add nodes that are known by other means.
/// let friend = SecretKey::generate().public_key();
/// book.add(&format!("enode://{friend}@203.0.114.9:30303").parse()?, Source::Own)?;
///
/// server.shutdown(Duration::from_secs(5)).await?;
/// stop.cancel();
/// writer.await??;
/// # Ok(())
/// # }
/// ```
impl NodeStore for AddressBook {
    fn draw(&self, most: usize) -> Vec<Enode> {
        self.candidates(most)
    }

    fn probe(&self) -> Option<Enode> {
        Self::probe(self)
    }

    fn dial_succeeded(&self) {
        Self::dial_succeeded(self);
    }

    fn good(&self, node: &Enode) {
        if let Err(error) = Self::good(self, node) {
            // A static node may have an address that the book does not accept.
            debug!(id = %node.node_id(), %error, "not kept in the address book");
        }
    }

    fn connected(&self, node: &NodeId) {
        Self::connected(self, node);
    }

    fn failed(&self, node: &NodeId) {
        Self::failed(self, node);
    }

    /// Adds the node with its own address as the source.
    ///
    /// The book therefore puts all nodes of one network into a single bucket of new addresses.
    fn discovered(&self, node: &Enode) {
        let Some(Host::Ip(ip)) = node.endpoint().map(|endpoint| &endpoint.host) else {
            return;
        };
        if let Err(error) = self.add(node, Source::Ip(*ip)) {
            debug!(id = %node.node_id(), %error, "not kept in the address book");
        }
    }

    /// Penalises a node. Two breaches within a minute, or five in total, ban the node.
    ///
    /// A frame with a wrong MAC counts little, since anyone on the path can cause one.
    fn misbehaved(&self, node: &NodeId, error: &PeerError) {
        let (lasting, fading) = match error {
            PeerError::Frame(FrameError::HeaderMac | FrameError::BodyMac) => (0, 20),
            _ => (20, 40),
        };
        let score = self.penalise(node, lasting, fading, &error.to_string());
        debug!(id = %node, %error, score, "misbehaviour noted");
    }

    fn ban(&self, node: &NodeId, time: Duration, reason: &str) -> bool {
        Self::ban(self, BanTarget::Node(*node), time, reason);
        true
    }

    fn bans(&self) -> Vec<BanInfo> {
        let bans = self.bans_left().into_iter();
        let info = |(target, left, reason): (BanTarget, Duration, String)| match target {
            BanTarget::Node(id) => BanInfo::of_node(id, left, reason),
            BanTarget::Ip(ip) => BanInfo::of_ip(ip, left, reason),
        };
        bans.map(info).collect()
    }

    fn sizes(&self) -> StoreSizes {
        let BookSizes {
            addresses,
            tried,
            banned_nodes,
            banned_ips,
        } = Self::sizes(self);
        StoreSizes {
            new: addresses.saturating_sub(tried),
            tried,
            banned_nodes,
            banned_ips,
        }
    }

    fn ban_ip(&self, ip: IpAddr, time: Duration, reason: &str) -> bool {
        Self::ban(self, BanTarget::ip(ip), time, reason);
        true
    }

    fn unban(&self, node: &NodeId) -> bool {
        Self::unban(self, BanTarget::Node(*node))
    }

    fn unban_ip(&self, ip: IpAddr) -> bool {
        Self::unban(self, BanTarget::ip(ip))
    }

    fn is_banned(&self, node: &NodeId) -> bool {
        self.banned(node).is_some()
    }

    fn is_banned_ip(&self, ip: IpAddr) -> bool {
        self.banned_ip(ip).is_some()
    }
}

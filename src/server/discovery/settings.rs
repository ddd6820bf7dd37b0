//! The settings of a server's discovery.

use std::fmt;
use std::net::SocketAddr;

use super::filter::RecordFilter;
#[cfg(feature = "discv4")]
use crate::discv4::Discv4Config;
#[cfg(feature = "discv5")]
use crate::discv5::{Discv5Builder, Discv5Config, Talk};
use crate::node::{Node, NodeRecord};

/// The settings by which a [`Server`](crate::Server) finds nodes and is found.
///
/// The server uses the versions of the discovery protocol that this crate was built with (features
/// `discv4` and `discv5`), on one UDP port.
///
/// ```
/// # tokio_test::block_on(async {
/// use peermux::server::Discovery;
/// use peermux::{SecretKey, Server};
///
/// let start = async |bootnodes: Vec<peermux::NodeRecord>| {
///     Server::builder(SecretKey::generate())
///         .listen(([127, 0, 0, 1], 0).into())
///         .discovery(Discovery::new().with_bootnodes(bootnodes))
///         .start()
///         .await
/// };
/// let bootnode = start(vec![]).await?;
/// let node = start(vec![bootnode.record()]).await?;
/// assert!(node.enode().endpoint().is_some_and(|endpoint| endpoint.udp != 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use]
pub struct Discovery {
    pub(super) bootnodes: Vec<Node>,
    pub(super) addr: Option<SocketAddr>,
    pub(super) private_networks: Option<bool>,
    pub(super) filter: RecordFilter,
    #[cfg(feature = "discv4")]
    pub(super) v4: Option<Discv4Config>,
    #[cfg(feature = "discv5")]
    pub(super) v5: Option<Discv5Config>,
    #[cfg(feature = "discv5")]
    pub(super) talks: Vec<AddTalk>,
}

#[cfg(feature = "discv5")]
type AddTalk = Box<dyn FnOnce(Discv5Builder) -> Discv5Builder + Send>;

impl Discovery {
    /// Enables every version that this crate was built with.
    pub fn new() -> Self {
        Self {
            bootnodes: Vec::new(),
            addr: None,
            private_networks: None,
            filter: RecordFilter::default(),
            #[cfg(feature = "discv4")]
            v4: Some(Discv4Config::default()),
            #[cfg(feature = "discv5")]
            v5: Some(Discv5Config::default()),
            #[cfg(feature = "discv5")]
            talks: Vec::new(),
        }
    }

    /// Adds bootnodes, as records or as enode URLs with a discovery port.
    ///
    /// Discovery v5 needs a record; v4 requests it if both versions run.
    pub fn with_bootnodes<N: Into<Node>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.bootnodes.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Sets the UDP address.
    ///
    /// Default: the listening address and port of the server. If the server does not listen, the
    /// default is a free port on all IPv4 addresses.
    pub fn with_addr(mut self, addr: SocketAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    /// Sets whether nodes on private networks and on this machine take part in discovery.
    ///
    /// The limits per network do not apply to such nodes. Default: `true` if the UDP address is a
    /// private or local address.
    pub fn with_private_networks(mut self, take_part: bool) -> Self {
        self.private_networks = Some(take_part);
        self
    }

    /// Dials only nodes whose record satisfies the filter.
    ///
    /// The filter can check an entry such as a fork identifier ([`NodeRecord::get`]). All nodes
    /// still take part in discovery itself.
    ///
    /// Version 4 finds nodes without their records. It requests the records before the dials, eight
    /// at a time, and skips a node for ten minutes if the node does not answer or the filter
    /// rejects it. Nodes that discovery finds without a record are not dialled.
    ///
    /// The filter also applies to nodes that the store
    /// [keeps](crate::server::NodeStore::discovered) for the next start, and to each record that
    /// another [source](crate::ServerBuilder::source) names, such as a list in the DNS. It does not
    /// apply to static nodes, to nodes that the store already knew, or to nodes that a source of
    /// your own names without a record. If the filter panics, the node is rejected. The filter may
    /// be called several times for one node.
    ///
    /// ```
    /// # use peermux::server::Discovery;
    /// // Only nodes with a record that contains the key `shop`.
    /// let discovery = Discovery::new().with_filter(|record| record.get::<u8>("shop").is_some());
    /// ```
    pub fn with_filter(
        mut self,
        wanted: impl Fn(&NodeRecord) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filter = RecordFilter::new(wanted);
        self
    }

    /// Sets the configuration of version 4; `None` disables it.
    #[cfg(feature = "discv4")]
    pub fn with_v4(mut self, config: impl Into<Option<Discv4Config>>) -> Self {
        self.v4 = config.into();
        self
    }

    /// Sets the configuration of version 5; `None` disables it.
    #[cfg(feature = "discv5")]
    pub fn with_v5(mut self, config: impl Into<Option<Discv5Config>>) -> Self {
        self.v5 = config.into();
        self
    }

    /// Answers the talk requests of other nodes for a protocol, see [`Discv5Builder::talk`].
    #[cfg(feature = "discv5")]
    pub fn with_talk<F, Fut>(mut self, protocol: impl Into<Vec<u8>>, answer: F) -> Self
    where
        F: Fn(Talk) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<u8>> + Send + 'static,
    {
        let protocol = protocol.into();
        let add = |builder: Discv5Builder| builder.talk(protocol, answer);
        self.talks.push(Box::new(add));
        self
    }
}

impl Default for Discovery {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Discovery");
        out.field("bootnodes", &self.bootnodes)
            .field("addr", &self.addr)
            .field("private_networks", &self.private_networks)
            .field("filter", &self.filter);
        #[cfg(feature = "discv4")]
        out.field("v4", &self.v4);
        #[cfg(feature = "discv5")]
        out.field("v5", &self.v5);
        out.finish_non_exhaustive()
    }
}

//! The source of the layer's connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::PeerId;
use crate::node::{Enode, NodeId};
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerEvent};
use crate::server::{DialError, Server};

/// A connected node.
#[derive(Debug, Clone)]
pub struct ConnectedPeer {
    peer: Peer,
    new: bool,
}

impl ConnectedPeer {
    /// A connection that [`Connector::connect`] made, and that its caller may close.
    #[must_use]
    pub fn made(peer: Peer) -> Self {
        Self { peer, new: true }
    }

    /// A connection that existed before the call of [`Connector::connect`].
    #[must_use]
    pub fn found(peer: Peer) -> Self {
        Self { peer, new: false }
    }

    /// The node.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether [`Connector::connect`] made the connection.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.new
    }
}

/// Makes connections for the layer, which never dials nodes itself.
///
/// A [`Server`] is a connector.
pub trait Connector: Send + Sync + 'static {
    /// Connects to a node, or finds the existing connection.
    ///
    /// The caller limits the time. Dropping the call cancels the attempt.
    fn connect(
        &self,
        node: &Enode,
    ) -> impl Future<Output = Result<ConnectedPeer, DialError>> + Send;
}

/// How long to wait for a connection that only the remote has seen so far.
const APPEARS_WITHIN: Duration = Duration::from_secs(2);

impl Connector for Server {
    async fn connect(&self, node: &Enode) -> Result<ConnectedPeer, DialError> {
        let id = node.node_id();
        let mut events = self.subscribe();
        if let Some(peer) = self.peer(&id).filter(|peer| !peer.is_ending()) {
            return Ok(ConnectedPeer::found(peer));
        }
        let error = match self.dial(node).await {
            Ok(peer) => return Ok(ConnectedPeer::made(peer)),
            Err(error) => error,
        };
        if error.reason() != Some(DisconnectReason::ALREADY_CONNECTED) {
            return Err(error);
        }
        // The node dialled us at the same time, so its connection exists or is about to exist.
        let appears = async {
            loop {
                if let Some(peer) = self.peer(&id) {
                    return Some(peer);
                }
                match events.recv().await {
                    Some(Ok(PeerEvent::Added { peer })) if peer.id() == id => return Some(peer),
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        match timeout(APPEARS_WITHIN, appears).await {
            Ok(Some(peer)) => Ok(ConnectedPeer::found(peer)),
            _ => Err(error),
        }
    }
}

type ConnectFuture<'a> =
    Pin<Box<dyn Future<Output = Result<ConnectedPeer, DialError>> + Send + 'a>>;

/// The object-safe form of [`Connector`].
pub(crate) trait DynConnector: Send + Sync {
    fn connect<'a>(&'a self, node: &'a Enode) -> ConnectFuture<'a>;
}

impl<C: Connector> DynConnector for C {
    fn connect<'a>(&'a self, node: &'a Enode) -> ConnectFuture<'a> {
        Box::pin(Connector::connect(self, node))
    }
}

/// A destination: an endpoint, and the identity that is expected there.
///
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePeer {
    endpoint: Arc<Enode>,
    /// The endpoint's node id, which is stored so that the key is hashed only once.
    node: NodeId,
    id: Option<PeerId>,
}

impl RemotePeer {
    /// Any identity at this endpoint.
    #[must_use]
    pub fn at(endpoint: Enode) -> Self {
        Self {
            node: endpoint.node_id(),
            endpoint: Arc::new(endpoint),
            id: None,
        }
    }

    /// The identity `id` at this endpoint.
    #[must_use]
    pub fn new(endpoint: Enode, id: PeerId) -> Self {
        Self::at(endpoint).with_id(id)
    }

    /// The same endpoint, with the identity `id` expected there.
    #[must_use]
    pub fn with_id(self, id: PeerId) -> Self {
        let id = Some(id);
        Self { id, ..self }
    }

    /// The same endpoint, with no identity expected there.
    #[must_use]
    pub fn anybody(self) -> Self {
        Self { id: None, ..self }
    }

    /// The node to connect to.
    #[must_use]
    pub fn endpoint(&self) -> &Enode {
        &self.endpoint
    }

    /// The id of the node to connect to.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The identity expected there; `None` for any.
    #[must_use]
    pub fn id(&self) -> Option<PeerId> {
        self.id
    }
}

//! Whom the layer asks for connections.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::node::{Enode, NodeId};
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerEvent};
use crate::server::{DialError, Server};

/// A connected node.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The node.
    pub peer: Peer,
    /// Whether the connection was made for this call, so that the caller may end it again.
    pub new: bool,
}

/// Makes connections for the layer, which never dials by itself. A [`Server`] is one.
pub trait Connector: Send + Sync + 'static {
    /// Connects to a node, or finds the connection that there is. The caller bounds it in time;
    /// a dropped call gives the attempt up.
    fn connect(&self, node: &Enode) -> impl Future<Output = Result<Connected, DialError>> + Send;
}

/// For how long a connection that the remote reports and we do not see yet is waited for.
const APPEARS_WITHIN: Duration = Duration::from_secs(2);

impl Connector for Server {
    async fn connect(&self, node: &Enode) -> Result<Connected, DialError> {
        let id = node.node_id();
        let known = |peer| Connected { peer, new: false };
        let mut events = self.subscribe();
        if let Some(peer) = self.peer(&id) {
            if peer.ending().now_or_never().is_none() {
                return Ok(known(peer));
            }
            peer.ended().await;
        }
        let error = match self.dial(node).await {
            Ok(peer) => return Ok(Connected { peer, new: true }),
            Err(error) => error,
        };
        if error.reason() != Some(DisconnectReason::ALREADY_CONNECTED) {
            return Err(error);
        }
        // The node dialled us at the same time; its connection is there or about to be.
        let appears = async {
            loop {
                if let Some(peer) = self.peer(&id) {
                    return Some(peer);
                }
                match events.recv().await {
                    Ok(PeerEvent::Added { peer }) if peer.id() == id => return Some(peer),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        match timeout(APPEARS_WITHIN, appears).await {
            Ok(Some(peer)) => Ok(known(peer)),
            _ => Err(error),
        }
    }
}

type ConnectFuture<'a> = Pin<Box<dyn Future<Output = Result<Connected, DialError>> + Send + 'a>>;

/// A connector without its type.
pub(crate) trait DynConnector: Send + Sync {
    fn connect<'a>(&'a self, node: &'a Enode) -> ConnectFuture<'a>;
}

impl<C: Connector> DynConnector for C {
    fn connect<'a>(&'a self, node: &'a Enode) -> ConnectFuture<'a> {
        Box::pin(Connector::connect(self, node))
    }
}

/// Where somebody is, and who it is meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePeer {
    /// The node to connect to.
    pub endpoint: Enode,
    /// The identity expected there; `None` for whoever answers.
    pub id: Option<super::PeerId>,
}

impl RemotePeer {
    /// Whoever answers at this endpoint.
    #[must_use]
    pub fn at(endpoint: Enode) -> Self {
        Self { endpoint, id: None }
    }

    /// The identity `id`, to be found at this endpoint.
    #[must_use]
    pub fn new(endpoint: Enode, id: super::PeerId) -> Self {
        Self {
            endpoint,
            id: Some(id),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.endpoint.node_id()
    }
}

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Remote;
use super::{DialError, ServerFailed, StaticNodeError};
use crate::connmgr::Refusal;
use crate::node::{Enode, NodeId};
use crate::setup::SetupError;

/// A connection that did not become a peer. What happens to peers is told in
/// [`PeerEvent`](crate::PeerEvent)s.
///
/// With the feature `serde` an event serialises to one JSON object, e.g.
/// `{"type":"reject","remote":"192.0.2.1:4000","error":"it connected a moment ago"}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// A node was dialled, for whatever reason, and is not connected. A static one is dialled
    /// again, another one takes the place of one from a source.
    DialFailed {
        /// The node.
        node: Enode,
        /// What went wrong.
        error: DialError,
        /// When it is dialled again by itself, unless never or at once.
        retry_in: Option<Duration>,
    },
    /// An accepted connection was closed before a byte was read.
    InboundRejected {
        /// Where it came from.
        addr: SocketAddr,
        /// Why it was not wanted.
        cause: Refusal,
    },
    /// An accepted connection did not become a peer.
    InboundFailed {
        /// Where it came from.
        addr: SocketAddr,
        /// Who it was, once its Hello had proven it.
        id: Option<NodeId>,
        /// Who it claimed to be in its auth, if nothing proved it: anybody can claim that.
        claimed: Option<NodeId>,
        /// What went wrong, or why it was refused.
        error: Arc<SetupError>,
    },
    /// A static node of the configuration was left out. The server starts without it, since several
    /// nodes may share one list.
    StaticNodeSkipped {
        /// The node.
        node: Enode,
        /// Why it is not kept connected.
        error: StaticNodeError,
    },
    /// A listener will accept nothing more.
    ListenerFailed {
        /// Its number: 0 is the one of the configured address, if there is one.
        listener: usize,
        /// How many others go on. With 0 the node accepts nothing any more.
        left: usize,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// A part of the server ended that it cannot do without: the server stops, see
    /// [`Server::stopped`](super::Server::stopped).
    ServiceFailed(ServerFailed),
}

impl ConnectionEvent {
    pub(super) fn inbound_failed(addr: SocketAddr, remote: Remote, error: Arc<SetupError>) -> Self {
        let (id, claimed) = match remote {
            Remote::Unknown => (None, None),
            Remote::Claimed(id) => (None, Some(id)),
            Remote::Proven(id) => (Some(id), None),
        };
        Self::InboundFailed {
            addr,
            id,
            claimed,
            error,
        }
    }

    #[cfg(feature = "serde")]
    fn claimed(&self) -> Option<NodeId> {
        match self {
            Self::InboundFailed { claimed, .. } => *claimed,
            _ => None,
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ConnectionEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let (kind, id, addr, error) = match self {
            Self::DialFailed { node, error, .. } => {
                let addr = node.endpoint().map(ToString::to_string);
                ("dialfail", Some(node.node_id()), addr, error.to_string())
            }
            Self::InboundRejected { addr, cause } => {
                ("reject", None, Some(addr.to_string()), cause.to_string())
            }
            Self::InboundFailed {
                addr, id, error, ..
            } => ("fail", *id, Some(addr.to_string()), error.to_string()),
            Self::StaticNodeSkipped { node, error } => {
                let addr = node.endpoint().map(ToString::to_string);
                ("staticskip", Some(node.node_id()), addr, error.to_string())
            }
            Self::ListenerFailed { error, .. } => ("listenfail", None, None, error.to_string()),
            Self::ServiceFailed(failure) => ("servicefail", None, None, failure.to_string()),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", kind)?;
        if let Some(id) = id {
            map.serialize_entry("peer", &id)?;
        }
        if let Some(claimed) = self.claimed() {
            map.serialize_entry("claimed", &claimed)?;
        }
        if let Some(addr) = addr {
            map.serialize_entry("remote", &addr)?;
        }
        map.serialize_entry("error", &error)?;
        map.end()
    }
}

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Remote;
use super::{DialError, ServerFailed, StaticNodeError};
use crate::connmgr::Refusal;
use crate::node::{Enode, NodeId};
use crate::setup::SetupError;

/// An event of a connection that did not become a peer, or of the server.
///
/// Peers are reported by [`PeerEvent`](crate::PeerEvent)s.
///
/// With the feature `serde` an event serialises to one JSON object, e.g.
/// `{"event":"dial_failed","node_id":"0f2b…","addr":"192.0.2.1:30303",…,"error":{…}}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// A dial of any kind produced no peer.
    ///
    /// A static node is dialled again. A node from a source is replaced by another one.
    DialFailed {
        /// The node.
        node: Enode,
        /// The error.
        error: DialError,
        /// The number of attempts in a row that failed or whose connection did not last.
        failures: u32,
        /// The time until the next automatic attempt. `None` if the next attempt is immediate, or
        /// if there is none.
        retry_in: Option<Duration>,
    },
    /// An accepted connection was closed before a byte was read.
    InboundRejected {
        /// The remote address.
        addr: SocketAddr,
        /// Why the connection was rejected.
        cause: Refusal,
    },
    /// An accepted connection did not become a peer.
    InboundFailed {
        /// The remote address.
        addr: SocketAddr,
        /// The remote's identity, if its Hello proved it.
        id: Option<NodeId>,
        /// The unproven identity in its auth, which anyone can claim.
        claimed: Option<NodeId>,
        /// The error, or the reason for the rejection.
        error: Arc<SetupError>,
    },
    /// A static node of the configuration was skipped.
    ///
    /// The server runs without the node, because several servers may share one list of static nodes,
    /// which then also contains the server itself. This event occurs at the start, and when the
    /// configuration [changes](super::Server::reconfigure).
    StaticNodeSkipped {
        /// The node.
        node: Enode,
        /// Why the node was skipped.
        error: StaticNodeError,
    },
    /// A listener failed and accepts no more connections.
    ListenerFailed {
        /// The listener's number; 0 is the listener on the configured address, if there is one.
        listener: usize,
        /// The number of remaining listeners. With 0, the node accepts no more connections.
        left: usize,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// An essential part of the server ended, so the server stops.
    ///
    /// See [`Server::stopped`](super::Server::stopped).
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
}

#[cfg(feature = "serde")]
mod json {
    use std::net::SocketAddr;

    use serde::ser::{Serialize, SerializeMap, Serializer};

    use super::ConnectionEvent;
    use crate::node::{Enode, NodeId};
    use crate::peer::CapabilityInfo;
    use crate::setup::{FailureInfo, SetupError};
    use crate::time::millis;

    impl Serialize for ConnectionEvent {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            let error = match self {
                Self::DialFailed {
                    node,
                    error,
                    failures,
                    retry_in,
                } => {
                    about_node(&mut map, "dial_failed", node)?;
                    map.serialize_entry("failures", failures)?;
                    map.serialize_entry("retry_in_ms", &retry_in.map(millis))?;
                    FailureInfo::from(error)
                }
                Self::InboundRejected { addr, cause } => {
                    let remote = (*addr, None, None);
                    about_remote(&mut map, "inbound_rejected", remote, None)?;
                    FailureInfo::of_text(cause.to_string())
                }
                Self::InboundFailed {
                    addr,
                    id,
                    claimed,
                    error,
                } => {
                    let remote = (*addr, *id, *claimed);
                    about_remote(&mut map, "inbound_failed", remote, Some(&**error))?;
                    FailureInfo::from(&**error)
                }
                Self::StaticNodeSkipped { node, error } => {
                    about_node(&mut map, "static_node_skipped", node)?;
                    FailureInfo::of_text(error.to_string())
                }
                Self::ListenerFailed {
                    listener,
                    left,
                    error,
                } => {
                    map.serialize_entry("event", "listener_failed")?;
                    map.serialize_entry("listener", listener)?;
                    map.serialize_entry("left", left)?;
                    FailureInfo::of_text(error.to_string())
                }
                Self::ServiceFailed(failure) => {
                    map.serialize_entry("event", "service_failed")?;
                    FailureInfo::of_text(failure.to_string())
                }
            };
            map.serialize_entry("error", &error)?;
            map.end()
        }
    }

    /// Writes the address of an inbound remote, and its proven and claimed id.
    fn about_remote<M: SerializeMap>(
        map: &mut M,
        kind: &str,
        (addr, id, claimed): (SocketAddr, Option<NodeId>, Option<NodeId>),
        error: Option<&SetupError>,
    ) -> Result<(), M::Error> {
        let capabilities = match error {
            Some(SetupError::NothingShared { theirs, .. }) => {
                let theirs = theirs.iter().map(CapabilityInfo::from);
                Some(theirs.collect::<Vec<_>>())
            }
            _ => None,
        };
        map.serialize_entry("event", kind)?;
        map.serialize_entry("addr", &addr)?;
        map.serialize_entry("node_id", &id)?;
        map.serialize_entry("claimed_id", &claimed)?;
        map.serialize_entry("capabilities", &capabilities)
    }

    fn about_node<M: SerializeMap>(map: &mut M, kind: &str, node: &Enode) -> Result<(), M::Error> {
        map.serialize_entry("event", kind)?;
        map.serialize_entry("node_id", &node.node_id())?;
        let addr = node.endpoint().map(|at| format!("{}:{}", at.host, at.tcp));
        map.serialize_entry("addr", &addr)
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::p2p::Capability;

    #[test]
    fn a_failed_connection_names_what_the_remote_speaks_if_nothing_is_shared() {
        let addr = SocketAddr::from(([192, 0, 2, 1], 4000));
        let id = NodeId::from_bytes([7; 32]);
        let error = SetupError::NothingShared {
            ours: vec![Capability::new("echo", 1)],
            theirs: vec![Capability::new("chat", 2)],
        };
        let text = error.to_string();
        let event = ConnectionEvent::inbound_failed(addr, Remote::Proven(id), Arc::new(error));
        let expected = json!({
            "event": "inbound_failed",
            "addr": "192.0.2.1:4000",
            "node_id": id,
            "claimed_id": null,
            "capabilities": [{"name": "chat", "version": 2, "offset": null, "length": null}],
            "error": {
                "stage": "hello",
                "fault": "local",
                "reason": {"code": 3, "text": "useless peer"},
                "text": text,
            },
        });
        assert_eq!(serde_json::to_value(event).unwrap(), expected);
    }
}

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Peer, Protocol};
use crate::node::NodeId;
use crate::setup::Direction;

/// What a node tells about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NodeInfo {
    /// The node id.
    pub id: NodeId,
    /// The client name in its Hello.
    pub name: String,
    /// The enode URL.
    pub enode: String,
    /// The IP address, or name, in its enode URL; empty if there is none.
    pub ip: String,
    /// The ports in its enode URL.
    pub ports: Ports,
    /// The address that it listens on, with port; empty if it does not listen.
    pub listen_addr: String,
    /// What each protocol tells about the node; `"unknown"` for one that tells nothing.
    pub protocols: BTreeMap<String, Value>,
}

/// A node's ports; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ports {
    /// UDP, for discovery.
    pub discovery: u16,
    /// TCP, for RLPx.
    pub listener: u16,
}

impl Ports {
    pub(crate) fn new(discovery: u16, listener: u16) -> Self {
        Self {
            discovery,
            listener,
        }
    }
}

/// What a node tells about one of its peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The enode URL with the connection's remote address.
    pub enode: String,
    /// The node id.
    pub id: NodeId,
    /// The full client name.
    pub name: String,
    /// All announced capabilities, as `name/version`, in order.
    pub caps: Vec<String>,
    /// The connection.
    pub network: NetworkInfo,
    /// What each running protocol tells about the peer: `"handshake"` while that yields nothing,
    /// `"unknown"` for one that tells nothing.
    pub protocols: BTreeMap<String, Value>,
}

/// One peer's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NetworkInfo {
    /// The own address; empty for a transport without addresses.
    pub local_address: String,
    /// The remote address; empty for a transport without addresses.
    pub remote_address: String,
    /// Whether the remote dialled.
    pub inbound: bool,
    /// Whether the node is exempt from the limits on peers.
    pub trusted: bool,
    /// Whether the node is dialled again and again.
    #[serde(rename = "static")]
    pub static_dialled: bool,
}

impl PeerInfo {
    /// Describes `peer`, which runs some of `protocols`.
    #[must_use]
    pub fn new(peer: &Peer, protocols: &[Protocol]) -> Self {
        let text = |addr: Option<std::net::SocketAddr>| {
            addr.map_or_else(String::new, |addr| addr.to_string())
        };
        let running = peer.shared_capabilities().iter().filter_map(|shared| {
            let protocol = protocols.get(shared.local)?;
            let info = protocol.info().of_peer(peer.id());
            Some((shared.capability.name().to_owned(), info))
        });
        Self {
            enode: peer.enode().to_string(),
            id: peer.id(),
            name: peer.full_name(),
            caps: peer
                .capabilities()
                .iter()
                .map(ToString::to_string)
                .collect(),
            network: NetworkInfo {
                local_address: text(peer.local_addr()),
                remote_address: text(peer.remote_addr()),
                inbound: peer.direction() == Direction::Inbound,
                trusted: peer.is_trusted(),
                static_dialled: peer.is_static(),
            },
            protocols: running.collect(),
        }
    }
}

/// What each protocol tells about the node; of several versions of one name the first answers.
pub(crate) fn node_protocols(protocols: &[Protocol]) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for protocol in protocols {
        all.entry(protocol.capability().name().to_owned())
            .or_insert_with(|| protocol.info().of_node());
    }
    all
}

//! What the connection manager's connections lead to.

use std::net::{IpAddr, SocketAddr};

use crate::connmgr::Candidate;
use crate::connmgr::admission::is_local;
use crate::node::{Endpoint, Enode, Host};

/// A node to dial, or where an inbound connection comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum NodeAddr {
    Node(Enode),
    Inbound(SocketAddr),
}

/// A node as the connection manager wants it: one request per node, and one automatic request per
/// network of addresses.
pub(crate) fn candidate(node: &Enode) -> Candidate<NodeAddr> {
    let candidate =
        Candidate::new(NodeAddr::Node(node.clone())).with_key(node.node_id().as_bytes());
    match group(node) {
        Some(group) => candidate.with_group(group),
        None => candidate,
    }
}

/// The node that a candidate leads to.
pub(crate) fn node_of(candidate: &Candidate<NodeAddr>) -> Option<&Enode> {
    match candidate.addr() {
        NodeAddr::Node(node) => Some(node),
        NodeAddr::Inbound(_) => None,
    }
}

/// The IP address of a node that is not named.
pub(crate) fn ip_of(node: &Enode) -> Option<IpAddr> {
    let addr = node.endpoint().and_then(Endpoint::socket_addr)?;
    Some(addr.ip())
}

/// The network that a node's address belongs to, in which one party easily has many addresses: /16
/// of IPv4, /32 of IPv6. Local addresses are nobody else's, so they have none.
fn group(node: &Enode) -> Option<Vec<u8>> {
    let endpoint = node.endpoint()?;
    match &endpoint.host {
        Host::Dns(name) => Some(name.to_ascii_lowercase().into_bytes()),
        Host::Ip(ip) if is_local(*ip) => None,
        Host::Ip(ip) => Some(match ip.to_canonical() {
            IpAddr::V4(ip) => ip.octets().into_iter().take(2).collect(),
            IpAddr::V6(ip) => ip.octets().into_iter().take(4).collect(),
        }),
    }
}

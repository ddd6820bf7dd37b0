//! The addresses of the connection manager's connections.

use std::fmt;
use std::net::SocketAddr;

use crate::connmgr::admission::is_local;
use crate::connmgr::{Candidate, Family};
use crate::node::{Enode, Group, Host};

/// The address of a server's connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum NodeAddr {
    /// The node to dial.
    Node(Enode),
    /// The remote address of an accepted connection.
    Inbound(SocketAddr),
}

impl fmt::Display for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Inbound(addr) => addr.fmt(f),
        }
    }
}

/// Formats like `Display`, since connection requests format their addresses by `Debug`.
impl fmt::Debug for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A node as a candidate for the connection manager.
///
/// The candidate's key allows one request per node. Its group allows one automatic request per
/// network.
pub(crate) fn candidate(node: &Enode) -> Candidate<NodeAddr> {
    let mut candidate =
        Candidate::new(NodeAddr::Node(node.clone())).with_key(node.node_id().as_bytes());
    if let Some(group) = group(node) {
        candidate = candidate.with_group(group.to_string());
    }
    if let Some(family) = family(node) {
        candidate = candidate.with_family(family);
    }
    candidate
}

/// Returns the family of a node's addresses, if all of them have the same family.
fn family(node: &Enode) -> Option<Family> {
    let mut families = node
        .tcp_endpoints()
        .map(|endpoint| Some(Family::from(endpoint.socket_addr()?.ip())));
    let first = families.next()??;
    families
        .all(|family| family == Some(first))
        .then_some(first)
}

/// Returns the node of an outbound candidate.
pub(crate) fn node_of(candidate: &Candidate<NodeAddr>) -> Option<&Enode> {
    match candidate.addr() {
        NodeAddr::Node(node) => Some(node),
        NodeAddr::Inbound(_) => None,
    }
}

/// Returns the network of a node's address. All addresses in the network probably have one owner.
///
/// Local addresses have no network, since no stranger owns them.
fn group(node: &Enode) -> Option<Group> {
    match &node.endpoint()?.host {
        Host::Ip(ip) if is_local(*ip) => None,
        host => Some(Group::of(host)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::SecretKey;

    #[test]
    fn public_networks_are_groups_and_local_ones_are_not() {
        let key = SecretKey::generate().public_key();
        let group_of = |host: &str| {
            let url = format!("enode://{key}@{host}:1");
            group(&url.parse().unwrap())
        };
        assert_eq!(group_of("20.1.9.9"), group_of("20.1.2.3"));
        assert_ne!(group_of("20.2.2.3"), group_of("20.1.2.3"));
        // A 6to4 address belongs to the owner of the IPv4 address inside it.
        assert_eq!(group_of("[2002:1401:203::1]"), group_of("20.1.2.3"));
        assert_eq!(group_of("Node.Example"), group_of("node.example"));
        for local in ["127.0.0.1", "10.1.1.1", "[::1]", "[fd00::1]"] {
            assert_eq!(group_of(local), None, "{local}");
        }
    }
}

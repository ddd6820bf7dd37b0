//! Bootnodes that are named by a host name.

use std::net::SocketAddr;
use std::time::Duration;

use peermux::server::NodeDialer;
use peermux::{Endpoint, Enode, Host, Node};
use tokio::time::timeout;

/// How long the name of a bootnode may take to be resolved.
const RESOLVING: Duration = Duration::from_secs(5);

/// Replaces the host names of nodes by addresses; see [`with_address`].
pub(crate) async fn with_addresses(nodes: Vec<Node>) -> Vec<Node> {
    let mut found = Vec::with_capacity(nodes.len());
    for node in nodes {
        found.push(with_address(node).await);
    }
    found
}

/// Replaces the host name of a node by an address, because discovery asks addresses only.
///
/// A node whose name has no address stays as it is, and a warning is logged: as with a static node,
/// that does not stop the command.
pub(crate) async fn with_address(node: Node) -> Node {
    let Some(endpoint) = node.endpoint() else {
        return node;
    };
    if !matches!(endpoint.host, Host::Dns(_)) {
        return node;
    }
    let Some(addr) = resolve(&endpoint).await else {
        return node;
    };
    let at = Endpoint {
        host: Host::Ip(addr.ip()),
        ..endpoint.into_owned()
    };
    Enode::with_endpoint(*node.public_key(), at).into()
}

async fn resolve(endpoint: &Endpoint) -> Option<SocketAddr> {
    let host = &endpoint.host;
    match timeout(RESOLVING, NodeDialer::resolve(endpoint)).await {
        // The socket of discovery is one of IPv4, unless the node listens on IPv6 alone.
        Ok(Ok(addrs)) => addrs
            .iter()
            .find(|addr| addr.is_ipv4())
            .or(addrs.first())
            .copied(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a bootnode is not used; an IP address needs no resolving");
            None
        }
        Err(_) => {
            tracing::warn!(
                "a bootnode is not used: {host} was not resolved within {RESOLVING:?}; an IP address needs no resolving"
            );
            None
        }
    }
}

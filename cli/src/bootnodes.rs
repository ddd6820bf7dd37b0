//! Resolves bootnodes that have a host name instead of an address.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use peermux::server::NodeDialer;
use peermux::{Endpoint, Enode, Host, Node};
use tokio::time::timeout;

/// The time limit for resolving the name of a bootnode.
const RESOLVING: Duration = Duration::from_secs(5);

/// Replaces the host names of nodes by addresses; see [`with_address`].
pub(crate) async fn with_addresses(nodes: Vec<Node>) -> Vec<Node> {
    // Resolve all names at once, so that names without an answer delay the start by only one time
    // limit.
    join_all(nodes.into_iter().map(with_address)).await
}

/// Replaces the host name of a node by an address, because discovery needs one.
///
/// If the name has no address, this logs a warning and returns the node unchanged. The command continues,
/// as it does if the name of a static node has no address.
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
        // Prefer IPv4: discovery has an IPv4 socket unless the node listens on an IPv6 address.
        Ok(Ok(addrs)) => addrs
            .iter()
            .find(|addr| addr.is_ipv4())
            .or(addrs.first())
            .copied(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a bootnode is not used; give its IP address");
            None
        }
        Err(_) => {
            tracing::warn!(
                "a bootnode is not used: {host} was not resolved within {RESOLVING:?}; give its IP address"
            );
            None
        }
    }
}

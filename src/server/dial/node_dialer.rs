use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, lookup_host};

use super::race::{first_of, in_turn};
use super::routes::Routes;
use crate::connmgr::{ConnectError, Dialer, Refusal};
use crate::ip::canonical;
use crate::metrics::NodeLabel;
use crate::node::{Endpoint, Enode, Host};
use crate::server::NetList;
use crate::server::checks::Checks;
use crate::transport::{SocketOptions, TcpTransport};

/// Connects to nodes by TCP.
///
/// A name is resolved for each dial. Up to eight addresses are tried, alternating between the
/// families. The next attempt begins when an attempt has failed, or when the last attempt has got
/// no answer for 250 ms. Earlier attempts continue ([RFC
/// 8305](https://www.rfc-editor.org/rfc/rfc8305)).
#[derive(Debug, Clone, Default)]
pub struct NodeDialer {
    options: SocketOptions,
    permitted: Option<NetList>,
    /// The checks of the server to which the dialer belongs, if any.
    checks: Option<Arc<Checks>>,
    routes: Arc<Routes>,
    node: NodeLabel,
}

impl NodeDialer {
    /// Creates the dialer of a server, which connects only to addresses that pass the checks.
    ///
    /// `node` is the label of the metrics of its connections.
    pub(crate) fn of_server(checks: &Arc<Checks>, node: &NodeLabel) -> Self {
        Self {
            options: checks.config.lock().socket(),
            checks: Some(Arc::clone(checks)),
            node: node.clone(),
            ..Self::default()
        }
    }

    /// Sets the options of the sockets.
    #[must_use]
    pub fn with_socket_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Restricts connections to these networks, whatever addresses a name resolves to.
    #[must_use]
    pub fn with_permitted(mut self, networks: NetList) -> Self {
        self.permitted = Some(networks);
        self
    }

    /// Returns the addresses of an endpoint; the list is never empty.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`] if a name does not resolve to an address.
    pub async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = match &endpoint.host {
            Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, endpoint.tcp)]),
            Host::Dns(host) => host,
        };
        let unresolved = |source: io::Error| ConnectError::Resolve {
            host: host.clone(),
            source: Arc::new(source),
        };
        let found = lookup_host((host.as_str(), endpoint.tcp)).await;
        let addrs: Vec<_> = found.map_err(unresolved)?.collect();
        if addrs.is_empty() {
            Err(unresolved(io::Error::other("it has no address")))
        } else {
            Ok(addrs)
        }
    }

    /// Returns the addresses of all endpoints, in the order of the attempts.
    async fn addrs(&self, node: &Enode) -> Result<Vec<SocketAddr>, ConnectError> {
        let mut addrs = Vec::new();
        let mut unresolved = None;
        for endpoint in node.tcp_endpoints() {
            match Self::resolve(endpoint).await {
                Ok(found) => addrs.extend(found.into_iter().map(canonical)),
                Err(error) => unresolved = Some(error),
            }
        }
        match unresolved.filter(|_| addrs.is_empty()) {
            Some(error) => Err(error),
            None => Ok(in_turn(addrs)),
        }
    }

    async fn connect(&self, addr: SocketAddr) -> Result<TcpTransport, ConnectError> {
        let permitted = self.permitted.as_ref();
        if permitted.is_some_and(|networks| !networks.contains(addr.ip())) {
            return Err(ConnectError::Unwanted(Refusal::Restricted));
        }
        if let Some(checks) = &self.checks {
            checks.check_ip(addr.ip()).map_err(ConnectError::Unwanted)?;
        }
        let stream = TcpStream::connect(addr).await;
        let stream = stream.and_then(|stream| TcpTransport::new(stream, self.options));
        let stream = stream.map(|stream| stream.with_node_label(self.node.clone()));
        stream.map_err(|source| match source.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => ConnectError::NoRoute,
            _ => ConnectError::Io {
                addr: Some(addr),
                source: Arc::new(source),
            },
        })
    }
}

impl Dialer for NodeDialer {
    type Addr = Enode;
    type Io = TcpTransport;

    async fn dial(&self, node: &Enode) -> Result<TcpTransport, ConnectError> {
        let addrs = self.addrs(node).await?;
        let connected = first_of(addrs, |addr| self.connect(addr)).await;
        connected.unwrap_or_else(|| {
            let error = io::Error::other("there is no TCP endpoint");
            Err(ConnectError::Invalid(Arc::new(error)))
        })
    }

    /// Returns whether there is a route to the family of any of the node's addresses.
    fn may_reach(&self, node: &Enode) -> bool {
        let mut endpoints = node.tcp_endpoints();
        endpoints.any(|endpoint| {
            let addr = endpoint.socket_addr();
            addr.is_none_or(|addr| self.routes.may_reach(addr))
        })
    }
}

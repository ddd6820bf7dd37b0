use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, lookup_host};

use crate::connmgr::{ConnectError, Dialer, Refusal};
use crate::node::{Endpoint, Enode, Host};
use crate::server::NetList;
use crate::transport::{SocketOptions, TcpTransport};

/// Connects to nodes by TCP. A name is resolved each time, and all its addresses are tried.
#[derive(Debug, Clone, Default)]
pub struct NodeDialer {
    options: SocketOptions,
    permitted: Option<NetList>,
}

impl NodeDialer {
    /// Sets up the sockets like this.
    #[must_use]
    pub fn with_socket_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Connects to these networks only, also where a name leads elsewhere.
    #[must_use]
    pub fn with_permitted(mut self, networks: NetList) -> Self {
        self.permitted = Some(networks);
        self
    }

    /// Returns the addresses of an endpoint, at least one.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`].
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
        match addrs.is_empty() {
            true => Err(unresolved(io::Error::other("it has no address"))),
            false => Ok(addrs),
        }
    }

    async fn connect(&self, addr: SocketAddr) -> Result<TcpTransport, ConnectError> {
        let permitted = self.permitted.as_ref();
        if permitted.is_some_and(|networks| !networks.contains(addr.ip())) {
            return Err(ConnectError::Unwanted(Refusal::Restricted));
        }
        let stream = TcpStream::connect(addr).await;
        let stream = stream.and_then(|stream| TcpTransport::new(stream, self.options));
        stream.map_err(|source| ConnectError::Io {
            addr: Some(addr),
            source: Arc::new(source),
        })
    }
}

impl Dialer for NodeDialer {
    type Addr = Enode;
    type Io = TcpTransport;

    async fn dial(&self, node: &Enode) -> Result<TcpTransport, ConnectError> {
        let no_endpoint = || {
            let error = io::Error::other("there is no TCP endpoint");
            ConnectError::Invalid(Arc::new(error))
        };
        let mut last = no_endpoint();
        for addr in Self::resolve(node.tcp_endpoint().ok_or_else(no_endpoint)?).await? {
            match self.connect(addr).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

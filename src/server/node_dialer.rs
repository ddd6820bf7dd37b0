use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, lookup_host};

use super::NetList;
use crate::connmgr::{DialError, Dialer, Refusal};
use crate::node::{Enode, Host};
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

    async fn connect(&self, addr: SocketAddr) -> Result<TcpTransport, DialError> {
        let permitted = self.permitted.as_ref();
        if permitted.is_some_and(|networks| !networks.contains(addr.ip())) {
            return Err(DialError::Unwanted(Refusal::Restricted));
        }
        let stream = TcpStream::connect(addr).await;
        let stream = stream.and_then(|stream| TcpTransport::new(stream, self.options));
        stream.map_err(|source| {
            let source = Arc::new(source);
            NodeDialError::Connect { addr, source }.into()
        })
    }
}

impl Dialer for NodeDialer {
    type Addr = Enode;
    type Io = TcpTransport;

    async fn dial(&self, node: &Enode) -> Result<TcpTransport, DialError> {
        let endpoint = node.endpoint().filter(|endpoint| endpoint.tcp != 0);
        let endpoint =
            endpoint.ok_or_else(|| DialError::Invalid(Arc::new(NodeDialError::NoEndpoint)))?;
        let host = match &endpoint.host {
            Host::Ip(ip) => return self.connect(SocketAddr::new(*ip, endpoint.tcp)).await,
            Host::Dns(host) => host,
        };
        let unresolved = |source: io::Error| NodeDialError::Resolve {
            host: host.clone(),
            source: Arc::new(source),
        };
        let addrs = lookup_host((host.as_str(), endpoint.tcp)).await;
        let mut last = DialError::from(unresolved(io::ErrorKind::NotFound.into()));
        for addr in addrs.map_err(unresolved)? {
            match self.connect(addr).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// At which step of a dial something went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeDialError {
    #[error("there is no TCP endpoint to dial")]
    NoEndpoint,
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        host: String,
        source: Arc<io::Error>,
    },
    #[error("cannot connect to {addr}: {source}")]
    Connect {
        addr: SocketAddr,
        source: Arc<io::Error>,
    },
}

impl From<NodeDialError> for DialError {
    fn from(error: NodeDialError) -> Self {
        let kind = match &error {
            NodeDialError::NoEndpoint => return Self::Invalid(Arc::new(error)),
            NodeDialError::Resolve { source, .. } | NodeDialError::Connect { source, .. } => {
                source.kind()
            }
        };
        Self::Io(Arc::new(io::Error::new(kind, error)))
    }
}

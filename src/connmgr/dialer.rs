//! Dialers, which open connections.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::error::ConnectError;
use super::request::Address;

/// Connects to addresses: directly, through a proxy, or in memory.
pub trait Dialer: Send + Sync + 'static {
    /// The type of addresses.
    type Addr: Address;
    /// The type of a connection's stream.
    type Io: Send + 'static;

    /// Connects to `addr`.
    ///
    /// The manager ends a dial by dropping the future: at the timeout, or when the dial is
    /// cancelled. The drop must close whatever the dial has opened. If the dialer panics, the dial
    /// fails with [`ConnectError::Broken`].
    ///
    /// # Errors
    /// The reason for which the dial failed.
    fn dial(
        &self,
        addr: &Self::Addr,
    ) -> impl Future<Output = Result<Self::Io, ConnectError>> + Send;

    /// Returns whether there may be a route to `addr` now.
    ///
    /// The manager calls this before it chooses an address for an automatic dial, and repeatedly
    /// after a dial that found [no route](ConnectError::NoRoute). The method must therefore return
    /// at once. The default is `true`.
    fn may_reach(&self, _addr: &Self::Addr) -> bool {
        true
    }
}

/// Connects to socket addresses by TCP, with `TCP_NODELAY`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDialer;

impl Dialer for TcpDialer {
    type Addr = SocketAddr;
    type Io = TcpStream;

    async fn dial(&self, addr: &SocketAddr) -> Result<TcpStream, ConnectError> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

//! How connections are made.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::error::ConnectError;
use super::request::Address;

/// Connects to addresses: directly, through a proxy, in memory.
pub trait Dialer: Send + Sync + 'static {
    /// What connections lead to.
    type Addr: Address;
    /// What a connection is.
    type Io: Send + 'static;

    /// Connects to `addr`. The manager ends a dial by dropping the future, when its time is up
    /// and when nobody wants it any more; what it has opened must close then. One that panics has
    /// failed with [`ConnectError::Broken`].
    ///
    /// # Errors
    /// Why there is no connection.
    fn dial(
        &self,
        addr: &Self::Addr,
    ) -> impl Future<Output = Result<Self::Io, ConnectError>> + Send;

    /// Whether there may be a way to `addr` now. It is asked before an address is chosen for an automatic
    /// dial, and again and again after a dial that found [no route](ConnectError::NoRoute), so it must
    /// answer at once. By default there always is.
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

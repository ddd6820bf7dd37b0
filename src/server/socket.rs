//! How TCP sockets are set up.

use std::io;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Bounds on what the kernel holds for a connection.
///
/// A message that is urgent stands behind all bytes that are already in the kernel, on this side and
/// on the other. Bounds make a short way; a long fat network path needs larger ones, at least its
/// bandwidth times its round-trip time for the receive buffer. `TCP_NODELAY` is always on.
///
/// With the feature `serde` both are sizes such as `"128 KiB"`, where 0 leaves it to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SocketOptions {
    /// From how many unsent bytes on a socket takes no more (`TCP_NOTSENT_LOWAT`). `None` leaves it
    /// to the system, as on systems that have no such bound.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::optional_size"))]
    pub unsent: Option<u32>,
    /// The size of the receive buffer in bytes (`SO_RCVBUF`). `None` leaves it to the system, which
    /// then adapts it to the path.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::optional_size"))]
    pub receive_buffer: Option<usize>,
}

impl Default for SocketOptions {
    /// 16 KiB unsent and a receive buffer of 256 KiB. Over loopback these keep an echo beside bulk
    /// traffic of another protocol below 1 ms (32 KiB messages) and near 6 ms (1 MiB messages), where
    /// the system's own choice gives 30 ms and more, at the same throughput.
    fn default() -> Self {
        Self {
            unsent: Some(16 << 10),
            receive_buffer: Some(256 << 10),
        }
    }
}

impl SocketOptions {
    /// Leaves all bounds to the system: the highest throughput over long fat paths.
    #[must_use]
    pub fn system() -> Self {
        Self {
            unsent: None,
            receive_buffer: None,
        }
    }

    pub(crate) fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(bytes) = self.unsent {
            socket.set_tcp_notsent_lowat(bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_has_the_bounds() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let options = SocketOptions {
            unsent: Some(50_000),
            receive_buffer: Some(100_000),
        };
        options.apply(&stream)?;
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay()?);
        // Linux doubles what it is given, for its own records.
        assert!([100_000, 200_000].contains(&socket.recv_buffer_size()?));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket.tcp_notsent_lowat()?, 50_000);
        Ok(())
    }

    #[tokio::test]
    async fn the_system_may_decide() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let before = SockRef::from(&stream).recv_buffer_size()?;
        SocketOptions::system().apply(&stream)?;
        assert_eq!(SockRef::from(&stream).recv_buffer_size()?, before);
        assert!(stream.nodelay()?);
        Ok(())
    }
}

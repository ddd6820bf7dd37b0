//! TCP, with bounds on the bytes that the kernel holds.

#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "elsewhere.rs"
)]
mod kernel;
mod options;
mod path;
mod retransmits;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, Sleep, sleep};

pub use options::{SocketBound, SocketOptions};
use path::Path;
use retransmits::{Retransmits, Sent};

use super::Transport;
use crate::ip::canonical;
use crate::metrics::NodeLabel;

/// A TCP stream that bounds the bytes that the kernel holds for it.
///
/// A server's own dialer and listener use this type. Use it in your own TCP dialer too, for short
/// queues during bulk traffic and full speed over long distances.
#[derive(Debug)]
pub struct TcpTransport {
    stream: TcpStream,
    options: SocketOptions,
    node: NodeLabel,
}

impl TcpTransport {
    /// Wraps a connected stream, and sets its options.
    ///
    /// A bound that is [`SocketBound::Auto`] adapts to the path after [`split`](Transport::split).
    ///
    /// # Errors
    /// The operating system's error if it rejects an option.
    pub fn new(stream: TcpStream, options: SocketOptions) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        if let SocketBound::Bytes(bytes) = options.receive_buffer() {
            SockRef::from(&stream).set_recv_buffer_size(bytes as usize)?;
        }
        match options.unsent() {
            SocketBound::Auto if kernel::measures_rtt() => {
                kernel::set_unsent(&stream, Path::default().unsent(0));
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            SocketBound::Bytes(bytes) => SockRef::from(&stream).set_tcp_notsent_lowat(bytes)?,
            _ => {}
        }
        Ok(Self {
            stream,
            options,
            node: NodeLabel::default(),
        })
    }

    /// Sets the label of the connection's metrics.
    pub(crate) fn with_node_label(mut self, node: NodeLabel) -> Self {
        self.node = node;
        self
    }
}

impl Transport for TcpTransport {
    type Reader = TcpReader;
    type Writer = TcpWriter;

    fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok().map(canonical)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok().map(canonical)
    }

    fn split(self) -> (TcpReader, TcpWriter) {
        let path = |bound| {
            let follows = bound == SocketBound::Auto && kernel::measures_rtt();
            follows.then(Path::default)
        };
        let (inbound, outbound) = (
            path(self.options.receive_buffer()),
            path(self.options.unsent()),
        );
        let (reader, writer) = self.stream.into_split();
        let reader = TcpReader {
            half: reader,
            path: inbound,
        };
        let writer = TcpWriter {
            half: writer,
            path: outbound,
            retransmits: Retransmits::new(&self.node),
            pause: None,
        };
        (reader, writer)
    }
}

/// The receiving half of a [`TcpTransport`].
#[derive(Debug)]
pub struct TcpReader {
    half: OwnedReadHalf,
    /// The measurement of the path; `None` leaves the window unchanged.
    path: Option<Path>,
}

impl TcpReader {
    fn on_read(&mut self, bytes: usize) {
        let Some(path) = &mut self.path else {
            return;
        };
        if path.moved(bytes) {
            let stream = self.half.as_ref();
            path.measure(Instant::now(), || kernel::min_rtt(stream));
            // The window is set even without a new measurement, because the kernel raises it
            // again as the rate grows.
            kernel::set_window(stream, path.window());
        }
    }
}

impl AsyncRead for TcpReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.half).poll_read(cx, buf))?;
        self.on_read(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

/// The sending half of a [`TcpTransport`].
#[derive(Debug)]
pub struct TcpWriter {
    half: OwnedWriteHalf,
    /// The measurement of the path; `None` leaves the bound on unsent bytes unchanged.
    path: Option<Path>,
    retransmits: Retransmits,
    /// The current pause. It is boxed, since only slow connections need it.
    pause: Option<Pin<Box<Sleep>>>,
}

impl TcpWriter {
    fn on_written(&mut self, bytes: usize) {
        let Some(path) = &mut self.path else {
            return;
        };
        let stream = self.half.as_ref();
        if path.moved(bytes) && path.measure(Instant::now(), || kernel::min_rtt(stream)) {
            let sent = kernel::sent(stream).unwrap_or_default();
            path.on_unacknowledged(sent.unacknowledged);
            self.retransmits.count(sent);
            let send_buffer = kernel::send_buffer(stream).unwrap_or(u64::MAX);
            kernel::set_unsent(stream, path.unsent(send_buffer));
        }
    }

    /// Waits while a slow path has many unsent bytes, then returns how many to write.
    ///
    /// `None` means no limit.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let path = self.path.as_ref();
            let Some((path, chunk)) = path.and_then(|path| Some((path, path.chunk()?))) else {
                return Poll::Ready(None);
            };
            let unsent = kernel::unsent(self.half.as_ref());
            match unsent.and_then(|unsent| path.pause(unsent)) {
                Some(pause) => self.pause = Some(Box::pin(sleep(pause))),
                None => return Poll::Ready(Some(chunk)),
            }
        }
    }
}

impl Drop for TcpWriter {
    fn drop(&mut self) {
        // Retransmits are also counted here, because most connections end before a measurement.
        if cfg!(feature = "metrics")
            && let Some(sent) = kernel::sent(self.half.as_ref())
        {
            self.retransmits.count(sent);
        }
    }
}

impl AsyncWrite for TcpWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let chunk = ready!(self.poll_chunk(cx));
        let bytes = chunk.and_then(|chunk| buf.get(..chunk)).unwrap_or(buf);
        let written = ready!(Pin::new(&mut self.half).poll_write(cx, bytes))?;
        self.on_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn connected(options: SocketOptions) -> io::Result<TcpTransport> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        TcpTransport::new(TcpStream::connect(listener.local_addr()?).await?, options)
    }

    #[tokio::test]
    async fn fixed_bounds_reach_the_kernel() -> io::Result<()> {
        let options = SocketOptions::default()
            .with_unsent(SocketBound::Bytes(50_000))
            .with_receive_buffer(SocketBound::Bytes(100_000));
        let transport = connected(options).await?;
        let socket = SockRef::from(&transport.stream);
        assert!(transport.stream.nodelay()?);
        // Linux doubles the requested size, for its own bookkeeping.
        assert!([100_000, 200_000].contains(&socket.recv_buffer_size()?));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket.tcp_notsent_lowat()?, 50_000);
        let (reader, writer) = transport.split();
        assert!(reader.path.is_none() && writer.path.is_none());
        Ok(())
    }

    #[tokio::test]
    async fn the_system_may_choose_the_bounds() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let before = SockRef::from(&stream).recv_buffer_size()?;
        let transport = TcpTransport::new(stream, SocketOptions::system())?;
        let socket = SockRef::from(&transport.stream);
        assert_eq!(socket.recv_buffer_size()?, before);
        assert!(transport.stream.nodelay()?);
        let (reader, writer) = transport.split();
        assert!(reader.path.is_none() && writer.path.is_none());
        Ok(())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn by_default_the_bounds_follow_the_path() -> io::Result<()> {
        let transport = connected(SocketOptions::default()).await?;
        let socket = SockRef::from(&transport.stream);
        let least = u32::from(kernel::measures_rtt()) * Path::default().unsent(0);
        assert!([0, least].contains(&socket.tcp_notsent_lowat()?));
        let (reader, writer) = transport.split();
        assert_eq!(reader.path.is_some(), kernel::measures_rtt());
        assert_eq!(writer.path.is_some(), kernel::measures_rtt());
        Ok(())
    }
}

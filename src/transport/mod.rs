//! What a connection runs over: any ordered byte stream that splits into two halves.

mod tcp;

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::ip::canonical;

pub use tcp::{SocketBound, SocketOptions, TcpReader, TcpTransport, TcpWriter};

/// An ordered, reliable byte stream with two independent directions.
///
/// Implemented for [`TcpTransport`], for a plain [`TcpStream`] and for tokio's in-memory
/// [`DuplexStream`]; any other
/// `AsyncRead + AsyncWrite` comes in through [`Generic`].
pub trait Transport: Send + 'static {
    /// The receiving half.
    type Reader: AsyncRead + Unpin + Send + 'static;
    /// The sending half; shutting it down tells the remote that nothing more comes.
    type Writer: AsyncWrite + Unpin + Send + 'static;

    /// The own address, if the stream has one. An IPv4 address is one, never an IPv6 address with it
    /// inside (`::ffff:192.0.2.1`), which only the system's sockets for both families show.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// The address of the remote node, if it is known, in the same form: a server looks up in it whether
    /// the node may be talked to. So a stream through a proxy answers `None`, not the proxy's address.
    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Takes the two directions apart.
    fn split(self) -> (Self::Reader, Self::Writer);
}

impl Transport for TcpStream {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok().map(canonical)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.peer_addr().ok().map(canonical)
    }

    fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }
}

impl Transport for DuplexStream {
    type Reader = ReadHalf<Self>;
    type Writer = WriteHalf<Self>;

    fn split(self) -> (ReadHalf<Self>, WriteHalf<Self>) {
        tokio::io::split(self)
    }
}

/// Any stream as a [`Transport`], with addresses if it has some.
#[derive(Debug)]
pub struct Generic<S> {
    stream: S,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

impl<S> Generic<S> {
    /// A stream without addresses.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            local: None,
            remote: None,
        }
    }

    /// A stream between these addresses, which show up in information records and logs.
    pub fn with_addresses(stream: S, local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            stream,
            local: Some(canonical(local)),
            remote: Some(canonical(remote)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Transport for Generic<S> {
    type Reader = ReadHalf<S>;
    type Writer = WriteHalf<S>;

    fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote
    }

    fn split(self) -> (ReadHalf<S>, WriteHalf<S>) {
        tokio::io::split(self.stream)
    }
}

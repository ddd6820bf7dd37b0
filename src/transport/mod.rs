//! Transports for connections: ordered byte streams that split into two halves.

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
/// [`DuplexStream`]. Wrap any other `AsyncRead + AsyncWrite` in [`Generic`].
pub trait Transport: Send + 'static {
    /// The receiving half.
    type Reader: AsyncRead + Unpin + Send + 'static;
    /// The sending half; its shutdown signals the end of the stream to the remote.
    type Writer: AsyncWrite + Unpin + Send + 'static;

    /// Returns the local address, if the stream has one.
    ///
    /// An IPv4 address must have the IPv4 form, not the IPv4-mapped IPv6 form (`::ffff:192.0.2.1`)
    /// that dual-stack sockets return.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the address of the remote node, if it is known.
    ///
    /// The address has the same form as [`local_addr`](Self::local_addr). A server uses it to check
    /// whether the connection is allowed, so a stream through a proxy must return `None`, not the
    /// proxy's address.
    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Splits the stream into its two directions.
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

/// Wraps any stream as a [`Transport`], with or without addresses.
#[derive(Debug)]
pub struct Generic<S> {
    stream: S,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

impl<S> Generic<S> {
    /// Wraps a stream without addresses.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            local: None,
            remote: None,
        }
    }

    /// Wraps a stream between these addresses, which appear in peer information and logs.
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

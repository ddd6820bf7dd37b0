//! How connections are accepted.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::connection::Socket;
use super::dial::NodeAddr;
use crate::connmgr::Listener;
use crate::ip::canonical;
use crate::transport::{SocketOptions, TcpTransport};

/// Listens on TCP, and sets accepted sockets up.
#[derive(Debug)]
pub(crate) struct SocketListener {
    pub(crate) listener: TcpListener,
    pub(crate) options: SocketOptions,
}

impl Listener for SocketListener {
    type Addr = SocketAddr;
    type Io = TcpTransport;

    async fn accept(&mut self) -> io::Result<(TcpTransport, SocketAddr)> {
        loop {
            let (stream, addr) = self.listener.accept().await?;
            match TcpTransport::new(stream, self.options) {
                Ok(stream) => return Ok((stream, addr)),
                // One connection's socket says nothing about the listener.
                Err(error) => tracing::warn!(%addr, %error, "cannot set an accepted socket up"),
            }
        }
    }
}

/// Takes a slot before each connection is accepted; it is given back when the set-up ends. Without
/// a slot connections wait in the kernel.
pub(crate) struct SlotListener<L: Listener, Io> {
    pub(crate) listener: L,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) convert: fn(L::Io) -> Io,
}

impl<L: Listener<Addr = SocketAddr>, Io: Send + 'static> Listener for SlotListener<L, Io> {
    type Addr = NodeAddr;
    type Io = Socket<Io>;

    fn accept(&mut self) -> impl Future<Output = io::Result<(Socket<Io>, NodeAddr)>> + Send {
        let (slots, convert) = (Arc::clone(&self.slots), self.convert);
        let listener = &mut self.listener;
        async move {
            let slot = slots.acquire_owned().await;
            let slot = slot.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            let (stream, addr) = listener.accept().await?;
            let stream = convert(stream);
            let socket = Socket {
                stream,
                slot: Some(slot),
                dial: None,
            };
            Ok((socket, NodeAddr::Inbound(canonical(addr))))
        }
    }

    fn is_fatal(&self, error: &io::Error) -> bool {
        self.listener.is_fatal(error)
    }
}

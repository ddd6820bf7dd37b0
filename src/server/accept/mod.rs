//! Accepts connections.

mod slots;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

pub(crate) use slots::{Awaits, Slot, Slots};

use super::checks::Checks;
use super::connection::Socket;
use super::dial::NodeAddr;
use crate::connmgr::Listener;
use crate::ip::canonical;
use crate::metrics::NodeLabel;
use crate::transport::{SocketOptions, TcpTransport};

/// Listens on TCP, and configures accepted sockets.
#[derive(Debug)]
pub(crate) struct SocketListener {
    pub(crate) listener: TcpListener,
    pub(crate) options: SocketOptions,
    pub(crate) node: NodeLabel,
}

impl Listener for SocketListener {
    type Addr = SocketAddr;
    type Io = TcpTransport;

    async fn accept(&mut self) -> io::Result<(TcpTransport, SocketAddr)> {
        loop {
            let (stream, addr) = self.listener.accept().await?;
            match TcpTransport::new(stream, self.options) {
                Ok(stream) => return Ok((stream.with_node_label(self.node.clone()), addr)),
                // An error on one socket does not affect the listener.
                Err(error) => tracing::warn!(%addr, %error, "cannot configure an accepted socket"),
            }
        }
    }
}

/// Takes a slot for each accepted connection. The connection keeps the slot until its set-up ends.
///
/// While one connection waits for a slot, further connections wait in the kernel's queue.
pub(crate) struct SlotListener<L: Listener, Io> {
    listener: L,
    slots: Slots,
    checks: Arc<Checks>,
    convert: fn(L::Io) -> Io,
    /// The accepted connection that waits for a slot.
    waiting: Option<(L::Io, SocketAddr)>,
}

impl<L: Listener, Io> SlotListener<L, Io> {
    /// Creates the listener. `convert` converts the streams of `listener` to the server's type of
    /// stream.
    pub(crate) fn new(
        listener: L,
        slots: &Slots,
        checks: &Arc<Checks>,
        convert: fn(L::Io) -> Io,
    ) -> Self {
        Self {
            listener,
            slots: slots.clone(),
            checks: Arc::clone(checks),
            convert,
            waiting: None,
        }
    }
}

impl<L: Listener<Addr = SocketAddr>, Io: Send + 'static> Listener for SlotListener<L, Io> {
    type Addr = NodeAddr;
    type Io = Socket<Io>;

    async fn accept(&mut self) -> io::Result<(Socket<Io>, NodeAddr)> {
        let addr = match &self.waiting {
            Some((_, addr)) => *addr,
            None => {
                let (stream, addr) = self.listener.accept().await?;
                let addr = canonical(addr);
                self.waiting = Some((stream, addr));
                addr
            }
        };
        // If this call is dropped, `waiting` keeps the connection for the next call.
        let slot = self.slots.take(self.checks.is_known(addr.ip())).await;
        let accepted = self.waiting.take();
        let (stream, addr) = accepted.ok_or(io::ErrorKind::NotConnected)?;
        let socket = Socket {
            stream: (self.convert)(stream),
            slot: Some(slot),
            dial: None,
        };
        Ok((socket, NodeAddr::Inbound(addr)))
    }

    fn is_fatal(&self, error: &io::Error) -> bool {
        self.listener.is_fatal(error)
    }
}

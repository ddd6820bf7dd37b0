//! What the owner of a connection holds.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::error::CloseReason;
use super::machine::Opening;
use super::notices::{Notice, Notices};
use super::request::{Address, Kind, Reconnect, ReqId};
use super::slots::Slot;

/// An open connection. Reading and writing go to the socket; dropping it closes the socket and
/// tells the manager that the connection is over.
///
/// The manager can close the socket too: then reads and writes fail with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted). Before, when the whole manager stops,
/// [`closing`](Lease::closing) asks the owner to come to an end.
pub struct Connection<A: Address, Io> {
    // Dropped in this order: the socket is closed before its end is reported.
    socket: Socket<Io>,
    lease: Lease<A>,
}

impl<A: Address, Io> Connection<A, Io> {
    pub(super) fn new(io: Io, lease: Lease<A>) -> (Self, Arc<Shared<Io>>) {
        let shared = Arc::new(Shared(Mutex::new(Inner {
            io: Some(io),
            reader: None,
            writer: None,
        })));
        let socket = Socket(Arc::clone(&shared));
        (Self { socket, lease }, shared)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ReqId {
        self.lease.id
    }

    /// Where it leads to or, if accepted, comes from.
    #[must_use]
    pub fn addr(&self) -> &A {
        &self.lease.addr
    }

    /// Why it exists.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.lease.kind
    }

    /// Its place in the manager.
    #[must_use]
    pub fn lease(&self) -> &Lease<A> {
        &self.lease
    }

    /// See [`Lease::mark_ready`].
    pub fn mark_ready(&self) {
        self.lease.mark_ready();
    }

    /// See [`Lease::close`].
    pub fn close(self, reason: impl Error + Send + Sync + 'static, reconnect: Reconnect) {
        drop(self.socket);
        self.lease.close(reason, reconnect);
    }

    /// Takes socket and lease apart, for owners that want the bare socket; `None` if the manager
    /// closed it already. From here on the owner closes the socket, and must do so when
    /// [`Lease::closing`] completes.
    #[must_use]
    pub fn into_parts(self) -> Option<(Io, Lease<A>)> {
        let io = self.socket.0.lock().io.take()?;
        Some((io, self.lease))
    }
}

impl<A: Address, Io> fmt::Debug for Connection<A, Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// A connection's place in the manager: its request and, if it was accepted, its slot. Dropping
/// it reports the connection's end.
pub struct Lease<A: Address> {
    id: ReqId,
    kind: Kind,
    addr: A,
    generation: u32,
    ready: AtomicBool,
    closing: CancellationToken,
    notices: Arc<Notices>,
    slot: Option<Slot>,
    end: (CloseReason, Reconnect),
}

impl<A: Address> Lease<A> {
    pub(super) fn new(
        opening: Opening<A>,
        slot: Option<Slot>,
        notices: Arc<Notices>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            id: opening.id,
            kind: opening.kind,
            addr: opening.addr,
            generation: opening.generation,
            ready: AtomicBool::new(false),
            closing,
            notices,
            slot,
            end: (CloseReason::Dropped, Reconnect::ByKind),
        }
    }

    /// The connection's id.
    #[must_use]
    pub fn id(&self) -> ReqId {
        self.id
    }

    /// Where it leads to or, if accepted, comes from.
    #[must_use]
    pub fn addr(&self) -> &A {
        &self.addr
    }

    /// Why it exists.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Calls the connection good, which an open socket alone does not prove: its end then counts
    /// as no failure, and the next wait is a short one. Once is enough.
    pub fn mark_ready(&self) {
        if !self.ready.swap(true, Ordering::Relaxed) {
            self.notices.push(Notice::Ready {
                id: self.id,
                generation: self.generation,
            });
        }
    }

    /// Completes when the manager wants the connection ended: it stops and will close it at the
    /// end of its [drain time](super::ConnConfig::with_drain), or it has closed it. Cancel safe.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// The same as a token, for other tasks.
    #[must_use]
    pub fn closing_token(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Reports the connection's end with its reason, and says whether to connect again. Plain
    /// dropping is reported as [`CloseReason::Dropped`] and goes [by kind](Reconnect::ByKind).
    pub fn close(mut self, reason: impl Error + Send + Sync + 'static, reconnect: Reconnect) {
        self.end = (CloseReason::Ended(Arc::new(reason)), reconnect);
    }
}

impl<A: Address> Drop for Lease<A> {
    fn drop(&mut self) {
        // Whoever hears of the end finds the slot free.
        drop(self.slot.take());
        let (reason, reconnect) = std::mem::take(&mut self.end);
        self.notices.push(Notice::Dropped {
            id: self.id,
            generation: self.generation,
            reason,
            reconnect,
        });
    }
}

impl<A: Address> fmt::Debug for Lease<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

/// The owner's side of a socket; closes it when dropped.
struct Socket<Io>(Arc<Shared<Io>>);

impl<Io> Drop for Socket<Io> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A socket that owner and manager can close.
pub(super) struct Shared<Io>(Mutex<Inner<Io>>);

struct Inner<Io> {
    io: Option<Io>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<Io> Shared<Io> {
    /// Closes the socket and wakes who waits for it.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        let closed = (inner.io.take(), inner.reader.take(), inner.writer.take());
        drop(inner);
        let (io, reader, writer) = closed;
        drop(io);
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<Io>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Io: Unpin> Inner<Io> {
    fn io(&mut self) -> io::Result<Pin<&mut Io>> {
        self.io
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }

    /// Polls a write operation; while it waits, a close wakes it.
    fn poll_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut Io>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = poll(self.io()?, cx);
        if polled.is_pending() {
            remember(&mut self.writer, cx);
        }
        polled
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

impl<A: Address, Io: AsyncRead + Unpin> AsyncRead for Connection<A, Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.socket.0.lock();
        let polled = inner.io()?.poll_read(cx, buf);
        if polled.is_pending() {
            remember(&mut inner.reader, cx);
        }
        polled
    }
}

impl<A: Address, Io: AsyncWrite + Unpin> AsyncWrite for Connection<A, Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.socket.0.lock();
        inner.poll_writer(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.socket.0.lock();
        inner.poll_writer(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        let inner = self.socket.0.lock();
        inner.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.socket.0.lock();
        inner.poll_writer(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.socket.0.lock();
        inner.poll_writer(cx, AsyncWrite::poll_shutdown)
    }
}

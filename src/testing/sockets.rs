//! Dialers and listeners for [`connmgr`](crate::connmgr) that open no socket.

use std::io;
use std::marker::PhantomData;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};

use crate::connmgr::{Address, ConnectError, Dialer, Listener};

/// How many bytes an in-memory stream holds in each direction.
const PIPE: usize = 4 << 10;

/// How many dials or calls can wait to be accepted.
const WAITING: usize = 1024;

/// A dialer that completes each dial immediately, with a function of the address.
#[derive(Debug)]
pub struct FnDialer<A, F>(F, PhantomData<fn(&A)>);

impl<A, F> FnDialer<A, F>
where
    A: Address,
    F: Fn(&A) -> Result<DuplexStream, ConnectError> + Send + Sync + 'static,
{
    /// Returns a dialer that calls `dial` for each address.
    pub fn new(dial: F) -> Self {
        Self(dial, PhantomData)
    }
}

impl<A, F> Dialer for FnDialer<A, F>
where
    A: Address,
    F: Fn(&A) -> Result<DuplexStream, ConnectError> + Send + Sync + 'static,
{
    type Addr = A;
    type Io = DuplexStream;

    async fn dial(&self, addr: &A) -> Result<DuplexStream, ConnectError> {
        (self.0)(addr)
    }
}

/// A dialer for which the test decides each dial; see [`dial_script`].
#[derive(Debug)]
pub struct ScriptedDialer<A>(mpsc::Sender<PendingDial<A>>);

/// The dials of a [`ScriptedDialer`], in the order of their start.
#[derive(Debug)]
pub struct DialScript<A>(mpsc::Receiver<PendingDial<A>>);

/// Returns a dialer, and the script that decides its dials.
#[must_use]
pub fn dial_script<A: Address>() -> (ScriptedDialer<A>, DialScript<A>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (ScriptedDialer(sender), DialScript(receiver))
}

impl<A: Address> Dialer for ScriptedDialer<A> {
    type Addr = A;
    type Io = DuplexStream;

    async fn dial(&self, addr: &A) -> Result<DuplexStream, ConnectError> {
        let (answer, answered) = oneshot::channel();
        let addr = addr.clone();
        let dial = PendingDial { addr, answer };
        self.0.send(dial).await.map_err(|_| ConnectError::Broken)?;
        answered.await.unwrap_or(Err(ConnectError::Broken))
    }
}

impl<A: Address> DialScript<A> {
    /// Returns the next dial, or `None` after the dialer has been dropped.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the call loses no dial.
    pub async fn next(&mut self) -> Option<PendingDial<A>> {
        self.0.recv().await
    }

    /// Returns the next dial if one has started.
    pub fn try_next(&mut self) -> Option<PendingDial<A>> {
        self.0.try_recv().ok()
    }
}

/// A dial in flight.
///
/// Dropping a `PendingDial` makes the dial fail.
#[derive(Debug)]
pub struct PendingDial<A> {
    addr: A,
    answer: oneshot::Sender<Result<DuplexStream, ConnectError>>,
}

impl<A> PendingDial<A> {
    /// The dialled address.
    pub fn addr(&self) -> &A {
        &self.addr
    }

    /// Completes the dial and returns the remote's end of the connection.
    pub fn succeed(self) -> DuplexStream {
        let (near, far) = duplex(PIPE);
        // If the dial was cancelled, the near end is dropped here, which closes the connection.
        self.answer.send(Ok(near)).ok();
        far
    }

    /// Makes the dial fail.
    pub fn fail(self, error: ConnectError) {
        self.answer.send(Err(error)).ok();
    }

    /// Waits until the dial is cancelled.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the call has no effect.
    pub async fn given_up(&mut self) {
        self.answer.closed().await;
    }
}

/// A listener that the test connects to; see [`memory_listener`].
#[derive(Debug)]
pub struct MemoryListener<A>(mpsc::Receiver<io::Result<(DuplexStream, A)>>);

/// Connects to a [`MemoryListener`].
///
/// Dropping the last clone breaks the listener.
#[derive(Debug, Clone)]
pub struct Caller<A>(mpsc::Sender<io::Result<(DuplexStream, A)>>);

/// Returns a listener, and the caller that connects to it.
#[must_use]
pub fn memory_listener<A: Address>() -> (MemoryListener<A>, Caller<A>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (MemoryListener(receiver), Caller(sender))
}

impl<A: Address> Listener for MemoryListener<A> {
    type Addr = A;
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, A)> {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.recv().await.ok_or_else(broken)?
    }
}

impl<A: Address> Caller<A> {
    /// Connects from `addr` and returns the caller's end.
    ///
    /// If the listener is closed, the returned end is closed too.
    pub async fn call(&self, addr: A) -> DuplexStream {
        let (near, far) = duplex(PIPE);
        self.0.send(Ok((near, addr))).await.ok();
        far
    }

    /// Makes the listener's next accept fail with `error`.
    pub async fn fail(&self, error: io::Error) {
        self.0.send(Err(error)).await.ok();
    }
}

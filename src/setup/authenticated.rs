use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::net::SocketAddr;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::link::Link;
use super::wire::write_flushed;
use super::{Direction, Established, SetupError, Wire};
use crate::node::{NodeId, PublicKey};
use crate::p2p::{self, DisconnectReason, Hello, decode_disconnect, ids};
use crate::rlpx::{ChannelBinding, Ingress, MAX_FRAME_SIZE, Opened, ReadBuffer};
use crate::stage::Stage;
use crate::transport::Transport;

/// The largest first frame: a one-byte id and a Hello.
const MAX_FIRST_FRAME: usize = 1 + p2p::MAX_HELLO;

/// A stream with secrets, after the auth and ack packets and before any Hello.
pub struct Authenticated<T: Transport> {
    /// Boxed, because its ciphers are large and it is often moved before a peer starts.
    pub(crate) wire: Box<Wire<T>>,
    pub(super) about: Link,
}

impl<T: Transport> Authenticated<T> {
    pub(super) fn new(
        mut wire: Box<Wire<T>>,
        public_key: PublicKey,
        binding: ChannelBinding,
        direction: Direction,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) -> Self {
        wire.ingress.set_max_frame_size(MAX_FIRST_FRAME);
        Self {
            wire,
            about: Link {
                public_key,
                binding,
                direction,
                local,
                remote,
                since: Instant::now(),
            },
        }
    }

    /// Returns the remote's static key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.about.public_key
    }

    /// Returns the remote's node id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.about.public_key.node_id()
    }

    /// Returns the remote address of the connection, if its transport has one.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.about.remote
    }

    /// Returns the direction of the connection.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.about.direction
    }

    /// Sends `hello` and reads the remote's Hello at the same time.
    ///
    /// See [RLPx, "p2p"
    /// capability](https://github.com/ethereum/devp2p/blob/master/rlpx.md#p2p-capability). Snappy
    /// is switched on if both sides announce version 5 or higher.
    ///
    /// # Errors
    /// [`SetupError`] at stage hello; if the error has a reason, a Disconnect with this reason has
    /// been sent. [`SetupError::Refused`] if the remote has sent a Disconnect.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call loses the stream.
    pub async fn exchange_hello(self, hello: &Hello) -> Result<Established<T>, SetupError> {
        match self.exchange_hello_unless(hello, pending()).await {
            Ok(established) => Ok(established),
            Err(failed) => Err(failed.tell().await),
        }
    }

    /// Like [`exchange_hello`](Self::exchange_hello), but ends when `interrupted` completes.
    ///
    /// The result is then the error of `interrupted`. On any error, it is up to the caller to send
    /// the Disconnect, through [`NotMet::into_parts`].
    pub(crate) async fn exchange_hello_unless(
        mut self,
        hello: &Hello,
        interrupted: impl Future<Output = SetupError>,
    ) -> Result<Established<T>, NotMet<T>> {
        let out = seal_hello(&mut self.wire, hello).map_err(NotMet::silent)?;
        let Wire {
            reader,
            writer,
            ingress,
            buffer,
            ..
        } = &mut *self.wire;
        let mut sent = false;
        let write = async {
            let written = write_flushed(writer, &out).await;
            sent = written.is_ok();
            written
        };
        let exchanged = prefer_read(read_hello(reader, ingress, buffer), write);
        let result = tokio::select! {
            // A complete exchange wins over an interruption.
            biased;
            result = exchanged => Ok(result),
            error = interrupted => Err(error),
        };
        match result {
            Ok(result) => self.finish(result, hello.version),
            Err(error) if sent => Err(NotMet::new(error, self.wire)),
            // Part of our Hello may have been sent, and a Disconnect cannot be sent in the middle
            // of it.
            Err(error) => Err(NotMet::silent(error)),
        }
    }

    /// Reads the remote's Hello first, then sends one that depends on it.
    ///
    /// Only one side of a connection can do this; most implementations send their Hello
    /// immediately.
    ///
    /// # Errors
    /// Same as [`exchange_hello`](Self::exchange_hello).
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call loses the stream.
    pub async fn answer_hello(
        mut self,
        answer: impl FnOnce(&Hello) -> Hello,
    ) -> Result<Established<T>, SetupError> {
        self.send_ack().await?;
        let Wire {
            reader,
            ingress,
            buffer,
            ..
        } = &mut *self.wire;
        let theirs = match read_hello(reader, ingress, buffer).await {
            Ok(theirs) => theirs,
            Err(error) => return Err(NotMet::new(error, self.wire).tell().await),
        };
        let ours = answer(&theirs);
        let out = seal_hello(&mut self.wire, &ours)?;
        let written = write_flushed(&mut self.wire.writer, &out).await;
        let result = written
            .map(|()| theirs)
            .map_err(SetupError::io(Stage::Hello));
        match self.finish(result, ours.version) {
            Ok(established) => Ok(established),
            Err(failed) => Err(failed.tell().await),
        }
    }

    /// Sends the ack that is held back for the first frame, if there is one.
    pub(super) async fn send_ack(&mut self) -> Result<(), SetupError> {
        let ack = std::mem::take(&mut self.wire.unsent);
        if ack.is_empty() {
            return Ok(());
        }
        let written = write_flushed(&mut self.wire.writer, &ack).await;
        written.map_err(SetupError::io(Stage::Ack))
    }

    /// Sends a Disconnect instead of a Hello, then closes gracefully, within 3 s.
    pub async fn refuse(self, reason: DisconnectReason) {
        self.wire.refuse(reason).await;
    }

    fn finish(
        mut self,
        hello: Result<Hello, SetupError>,
        own_version: u64,
    ) -> Result<Established<T>, NotMet<T>> {
        let hello = match hello {
            Ok(hello) => hello,
            Err(error) => return Err(NotMet::new(error, self.wire)),
        };
        let snappy = hello.version.min(own_version) >= p2p::SNAPPY_VERSION;
        self.wire.egress.set_snappy(snappy);
        self.wire.ingress.set_snappy(snappy);
        self.wire.ingress.set_max_frame_size(MAX_FRAME_SIZE);
        if hello.public_key != self.about.public_key {
            let claimed = hello.public_key.node_id();
            let error = SetupError::UnexpectedIdentity {
                claimed,
                proven: self.id(),
            };
            return Err(NotMet::new(error, self.wire));
        }
        Ok(Established::new(self.wire, self.about, hello))
    }
}

/// A failed exchange of Hellos, together with a Disconnect that has still to be sent.
pub(crate) struct NotMet<T: Transport> {
    error: SetupError,
    untold: Option<(Box<Wire<T>>, DisconnectReason)>,
}

impl<T: Transport> NotMet<T> {
    fn new(error: SetupError, wire: Box<Wire<T>>) -> Self {
        let untold = error.reason_to_send().map(|reason| (wire, reason));
        Self { error, untold }
    }

    fn silent(error: SetupError) -> Self {
        let untold = None;
        Self { error, untold }
    }

    /// Returns the error, and a future that sends the Disconnect within 3 s.
    pub(crate) fn into_parts(self) -> (SetupError, impl Future<Output = ()> + Send) {
        let farewell = async move {
            if let Some((wire, reason)) = self.untold {
                wire.refuse(reason).await;
            }
        };
        (self.error, farewell)
    }

    async fn tell(self) -> SetupError {
        let (error, farewell) = self.into_parts();
        farewell.await;
        error
    }
}

/// Returns the ack if it has not been sent yet, followed by the Hello's frame.
fn seal_hello<T: Transport>(wire: &mut Wire<T>, hello: &Hello) -> Result<BytesMut, SetupError> {
    let mut out = std::mem::take(&mut wire.unsent);
    let sealed = wire.egress.seal(ids::HELLO, &hello.encode(), &mut out);
    sealed.map_err(|error| SetupError::Io {
        stage: Stage::Hello,
        source: std::io::Error::other(error),
    })?;
    Ok(out)
}

async fn read_hello<R: AsyncRead + Unpin>(
    reader: &mut R,
    ingress: &mut Ingress,
    buffer: &mut ReadBuffer,
) -> Result<Hello, SetupError> {
    loop {
        let total = match ingress.open(buffer.filled())? {
            Opened::NeedMore { total } => total,
            Opened::Frame { frame, consumed } => {
                let result = match frame.id() {
                    ids::HELLO => Hello::decode(frame.data()).map_err(SetupError::from),
                    ids::DISCONNECT => {
                        Err(SetupError::Refused(decode_disconnect(frame.data(), false)))
                    }
                    id => Err(SetupError::NotHello { id }),
                };
                buffer.consume(consumed);
                return result;
            }
        };
        let read = reader.read_buf(buffer.prepare(total)).await;
        if read.map_err(SetupError::io(Stage::Hello))? == 0 {
            return Err(SetupError::Closed {
                stage: Stage::Hello,
            });
        }
    }
}

/// Waits for reading and writing, but returns a read error as soon as it occurs.
///
/// The read error matters more: an early Disconnect contains the reason that the caller needs. The
/// remote may have stopped reading after it sent the Disconnect, so writing may fail too.
async fn prefer_read(
    read: impl Future<Output = Result<Hello, SetupError>>,
    write: impl Future<Output = std::io::Result<()>>,
) -> Result<Hello, SetupError> {
    tokio::pin!(read, write);
    let mut written = None;
    let mut hello = None;
    poll_fn(|cx| {
        if hello.is_none()
            && let Poll::Ready(result) = read.as_mut().poll(cx)
        {
            match result {
                Ok(theirs) => hello = Some(theirs),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if written.is_none()
            && let Poll::Ready(result) = write.as_mut().poll(cx)
        {
            written = Some(result);
        }
        match (hello.take(), written.take()) {
            (Some(hello), Some(Ok(()))) => Poll::Ready(Ok(hello)),
            (Some(_), Some(Err(error))) => Poll::Ready(Err(SetupError::io(Stage::Hello)(error))),
            (theirs, ours) => {
                (hello, written) = (theirs, ours);
                Poll::Pending
            }
        }
    })
    .await
}

impl<T: Transport> fmt::Debug for Authenticated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authenticated").field(&self.about).finish()
    }
}

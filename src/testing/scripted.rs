use std::pin::pin;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::Settings;
use super::connected::hello;
use crate::driver::PeerDriver;
use crate::node::SecretKey;
use crate::p2p::{Capability, DisconnectReason, Hello, decode_disconnect, ids};
use crate::peer::Peer;
use crate::rlpx::{Ingress, Legacy, Opened, ReadBuffer};
use crate::setup::{Authenticated, Established, SetupError, Wire, accept, initiate};

/// How many bytes the in-memory stream holds in each direction.
const PIPE: usize = 64 << 10;

/// A remote that the test controls, frame by frame.
///
/// ```
/// use peermux::p2p::ids;
/// use peermux::testing::Scripted;
///
/// # tokio_test::block_on(async {
/// let (_peer, mut remote) = Scripted::remote_of(vec![], &[]).await.expect("connects");
/// remote.send(ids::PING, &[0xc0]).await;
/// let answer = remote.expect().await;
/// assert_eq!((answer.id, &answer.payload[..]), (ids::PONG, &[0xc0][..]));
/// # });
/// ```
pub struct Scripted {
    wire: Box<Wire<DuplexStream>>,
    hello: Option<Hello>,
}

/// A received message with its id on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedFrame {
    /// The message id.
    pub id: u64,
    /// The uncompressed payload.
    pub payload: Bytes,
    /// The reason, if the message is a Disconnect that contains one.
    pub reason: Option<DisconnectReason>,
}

impl Scripted {
    /// Runs a peer with `settings` in the background, and returns it with its remote.
    ///
    /// The remote announces `capabilities`. As with [`connect`](super::connect), the peer's
    /// protocols are already [running](Peer::running) when this function returns.
    ///
    /// # Errors
    /// [`SetupError`] as for [`connect`](super::connect).
    pub async fn remote_of(
        settings: impl Into<Settings>,
        capabilities: &[Capability],
    ) -> Result<(Peer, Self), SetupError> {
        let settings = settings.into();
        let (protocols, options) = (settings.protocols(), settings.options().clone());
        let (near, far) = duplex(PIPE);
        let (key, far_key) = (
            SecretKey::random(&mut rand::rng()),
            SecretKey::random(&mut rand::rng()),
        );
        let ours = async {
            let authenticated = accept(near, &key, Legacy::Refuse).await?;
            authenticated
                .exchange_hello(&hello("near", &key, protocols))
                .await
        };
        let theirs = async {
            let authenticated = initiate(far, &far_key, &key.public_key()).await?;
            let hello = Hello::new("scripted", capabilities.to_vec(), far_key.public_key());
            authenticated.exchange_hello(&hello).await
        };
        let (ours, theirs) = tokio::try_join!(ours, theirs)?;
        let driver = PeerDriver::new(ours, protocols, options)
            .map_err(|_| SetupError::RefusedHere(DisconnectReason::REQUESTED))?;
        let peer = driver.peer().clone();
        tokio::spawn(driver.run());
        peer.running().await;
        Ok((peer, Self::over(theirs)))
    }

    /// Takes over this end of an established connection.
    #[must_use]
    pub fn over(established: Established<DuplexStream>) -> Self {
        Self {
            wire: established.wire,
            hello: Some(established.hello),
        }
    }

    /// Takes over this end of a connection on which it has sent no Hello yet.
    #[must_use]
    pub fn before_hello(authenticated: Authenticated<DuplexStream>) -> Self {
        Self {
            wire: authenticated.wire,
            hello: None,
        }
    }

    /// The other side's Hello, if it was received before the script began.
    #[must_use]
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Sends one message, compressed as agreed.
    ///
    /// Returns false if the other side has closed.
    pub async fn send(&mut self, id: u64, payload: &[u8]) -> bool {
        self.send_all(&[(id, payload)]).await
    }

    /// Sends several messages in one write.
    pub async fn send_all(&mut self, messages: &[(u64, &[u8])]) -> bool {
        let mut out = BytesMut::new();
        let sealed = messages
            .iter()
            .all(|(id, data)| self.wire.egress.seal(*id, data, &mut out).is_ok());
        sealed && self.send_bytes(&out).await
    }

    /// Seals a frame without sending it, for a test that changes or cuts it.
    #[must_use]
    pub fn seal(&mut self, id: u64, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        // A payload over the limit yields no bytes, which the test notices.
        let _ = self.wire.egress.seal(id, payload, &mut out);
        out
    }

    /// Seals a frame with uncompressed data, even if Snappy is on.
    #[must_use]
    pub fn seal_raw(&mut self, id: u64, data: &[u8]) -> BytesMut {
        self.wire.egress.set_snappy(false);
        let out = self.seal(id, data);
        self.wire.egress.set_snappy(true);
        out
    }

    /// Writes raw bytes.
    ///
    /// Returns false if the other side has closed.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.wire.writer.write_all(bytes).await.is_ok()
    }

    /// Returns the next message, or `None` once the other side has closed.
    ///
    /// Messages of the base protocol are included: after 15 s of silence, a Ping arrives. In paused
    /// time, these pass as soon as nothing else is left to do.
    ///
    /// # Panics
    /// If the other side sends a frame that cannot be opened.
    pub async fn next(&mut self) -> Option<ScriptedFrame> {
        let Wire {
            reader,
            ingress,
            buffer,
            ..
        } = &mut *self.wire;
        next_frame(reader, ingress, buffer).await
    }

    /// Like [`send`](Self::send), but reads frames that arrive in the meantime. Otherwise two sides
    /// that both write could wait for each other.
    pub(super) async fn send_and_take(
        &mut self,
        id: u64,
        payload: &[u8],
        mut take: impl FnMut(ScriptedFrame),
    ) -> bool {
        let sealed = self.seal(id, payload);
        let Wire {
            reader,
            writer,
            ingress,
            buffer,
            ..
        } = &mut *self.wire;
        let mut written = pin!(writer.write_all(&sealed));
        loop {
            tokio::select! {
                // The write is polled first: once the message is written, no frame has to be read.
                biased;
                written = &mut written => return written.is_ok(),
                frame = next_frame(reader, ingress, buffer) => match frame {
                    Some(frame) => take(frame),
                    None => return written.await.is_ok(),
                },
            }
        }
    }

    /// Like [`next`](Self::next), for a side that has not closed.
    ///
    /// # Panics
    /// If the other side closes the connection instead.
    pub async fn expect(&mut self) -> ScriptedFrame {
        match self.next().await {
            Some(frame) => frame,
            None => fail(&"the other side closed the connection"),
        }
    }

    /// Reads until the Disconnect and returns its reason.
    ///
    /// `None` if the other side closes without a Disconnect, or its Disconnect contains no reason.
    pub async fn disconnected(&mut self) -> Option<DisconnectReason> {
        while let Some(frame) = self.next().await {
            if frame.id == ids::DISCONNECT {
                return frame.reason;
            }
        }
        None
    }
}

/// Returns the next message. Cancel safe.
async fn next_frame(
    reader: &mut (impl AsyncRead + Unpin),
    ingress: &mut Ingress,
    buffer: &mut ReadBuffer,
) -> Option<ScriptedFrame> {
    loop {
        let total = match ingress.open(buffer.filled()) {
            Ok(Opened::NeedMore { total }) => total,
            Ok(Opened::Frame { frame, consumed }) => {
                let reason = (frame.id() == ids::DISCONNECT)
                    .then(|| decode_disconnect(frame.data(), frame.is_compressed()))
                    .flatten();
                let payload = ok(frame.payload(usize::MAX));
                let id = frame.id();
                buffer.consume(consumed);
                return Some(ScriptedFrame {
                    id,
                    payload,
                    reason,
                });
            }
            Err(error) => fail(&error),
        };
        let read = reader.read_buf(buffer.prepare(total)).await;
        if read.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn ok<R, E: std::fmt::Display>(result: Result<R, E>) -> R {
    match result {
        Ok(value) => value,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::panic, reason = "this is for tests, which fail by panicking")]
fn fail(error: &dyn std::fmt::Display) -> ! {
    panic!("scripted remote: {error}")
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted")
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}

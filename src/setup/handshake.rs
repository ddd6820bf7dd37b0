use std::fmt;
use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::wire::write_flushed;
use super::{Authenticated, Direction, SetupError, Turns, Wire};
use crate::node::{PublicKey, SecretKey};
use crate::random::Random;
use crate::rlpx::{
    AuthReceived, HandshakeError, HandshakeRandomness, Initiator, Legacy, ReadBuffer, Recipient,
    Session, Step,
};
use crate::stage::Stage;
use crate::transport::Transport;

/// Runs the initiator's handshake on a stream to a node with a known key.
///
/// See [RLPx, initial
/// handshake](https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake). The remote
/// proves its identity only with its first frame, so the identity is uncertain until
/// [`Authenticated::exchange_hello`] succeeds.
///
/// # Errors
/// [`SetupError`] at stage auth or ack; the stream is closed.
///
/// # Cancel safety
/// Not cancel safe: a dropped call loses the stream.
pub async fn initiate<T: Transport>(
    stream: T,
    key: &SecretKey,
    remote: &PublicKey,
) -> Result<Authenticated<T>, SetupError> {
    initiate_in_turn(stream, key, remote, &Random::default(), None).await
}

/// Like [`initiate`], but draws from `random` and takes turns to compute.
pub(crate) async fn initiate_in_turn<T: Transport>(
    stream: T,
    key: &SecretKey,
    remote: &PublicKey,
    random: &Random,
    turns: Option<&Turns>,
) -> Result<Authenticated<T>, SetupError> {
    let handshake = |stage| move |source| SetupError::Handshake { stage, source };
    let start = || Initiator::new(key, remote, random.draw(HandshakeRandomness::random));
    let started = in_turn(turns, start).await;
    let (mut initiator, auth) = started.map_err(handshake(Stage::Auth))?;
    let addresses = (stream.local_addr(), stream.remote_addr());
    let (mut reader, mut writer) = stream.split();
    write_flushed(&mut writer, &auth)
        .await
        .map_err(SetupError::io(Stage::Auth))?;

    let mut input = BytesMut::new();
    let session = loop {
        let lacks = initiator.lacks(&input).map_err(handshake(Stage::Ack))?;
        if lacks > 0 {
            let read = read_more(&mut reader, &mut input, lacks).await;
            read.map_err(SetupError::io(Stage::Ack))?;
            continue;
        }
        let step = in_turn(turns, || initiator.read_ack(&mut input)).await;
        match step.map_err(handshake(Stage::Ack))? {
            Step::Done(session) => break session,
            Step::NeedMore { state, .. } => initiator = state,
        }
    };
    Ok(authenticated(
        session,
        reader,
        writer,
        (&input, BytesMut::new()),
        Direction::Outbound,
        addresses,
    ))
}

/// Runs the recipient's handshake on a stream, and learns the remote's key from it.
///
/// See [RLPx, initial
/// handshake](https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake). This is
/// the same as [`receive_auth`], followed by [`ReceivedAuth::answer`]. Anybody can replay an auth
/// packet, so the identity is proven only when [`Authenticated::exchange_hello`] succeeds.
///
/// # Errors
/// [`SetupError`] at stage auth or ack; the stream is closed without a message, because none can be
/// sent at this point.
///
/// # Cancel safety
/// Not cancel safe: a dropped call loses the stream.
pub async fn accept<T: Transport>(
    stream: T,
    key: &SecretKey,
    legacy: Legacy,
) -> Result<Authenticated<T>, SetupError> {
    receive_auth(stream, key, legacy).await?.answer().await
}

/// A stream whose auth packet has been read, but not answered.
pub struct ReceivedAuth<T: Transport> {
    auth: AuthReceived,
    reader: T::Reader,
    writer: T::Writer,
    input: BytesMut,
    addresses: Addresses,
}

/// The local and the remote address, if known.
type Addresses = (Option<SocketAddr>, Option<SocketAddr>);

/// Reads the auth packet of the node that opened a stream.
///
/// # Errors
/// [`SetupError`] at stage auth; the stream is closed.
///
/// # Cancel safety
/// Not cancel safe: a dropped call loses the stream.
pub async fn receive_auth<T: Transport>(
    stream: T,
    key: &SecretKey,
    legacy: Legacy,
) -> Result<ReceivedAuth<T>, SetupError> {
    receive_auth_in_turn(stream, key, legacy, None, |_| ()).await
}

/// Like [`receive_auth`], but takes turns to compute, and reports whether it is waiting.
///
/// If more bytes must arrive from the remote after the first ones, `waits(true)` is called. When
/// the packet is complete and this side has to compute, `waits(false)` is called.
pub(crate) async fn receive_auth_in_turn<T: Transport>(
    stream: T,
    key: &SecretKey,
    legacy: Legacy,
    turns: Option<&Turns>,
    waits: impl Fn(bool),
) -> Result<ReceivedAuth<T>, SetupError> {
    let handshake = |source: HandshakeError| SetupError::Handshake {
        stage: Stage::Auth,
        source,
    };
    let addresses = (stream.local_addr(), stream.remote_addr());
    let (mut reader, writer) = stream.split();
    let mut input = BytesMut::new();
    let mut recipient = Recipient::new(key, legacy);
    let mut waiting = true;
    let auth = loop {
        let lacks = recipient.lacks(&input).map_err(handshake)?;
        if lacks > 0 {
            let read = read_more(&mut reader, &mut input, lacks).await;
            read.map_err(SetupError::io(Stage::Auth))?;
            // Only the first bytes are reported, so that a trickle of bytes does not count as
            // progress.
            if std::mem::take(&mut waiting) {
                waits(true);
            }
            continue;
        }
        waits(false);
        let step = in_turn(turns, || recipient.read_auth(&mut input)).await;
        match step.map_err(handshake)? {
            Step::Done(auth) => break auth,
            Step::NeedMore { state, .. } => recipient = state,
        }
    };
    Ok(ReceivedAuth {
        auth,
        reader,
        writer,
        input,
        addresses,
    })
}

impl<T: Transport> ReceivedAuth<T> {
    /// Returns the static key that the auth packet claims.
    ///
    /// This is not proof, because the packet may be replayed.
    #[must_use]
    pub fn claimed(&self) -> &PublicKey {
        self.auth.remote()
    }

    /// Answers with an ack.
    ///
    /// # Errors
    /// [`SetupError`] at stage ack; the stream is closed.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call loses the stream.
    pub async fn answer(self) -> Result<Authenticated<T>, SetupError> {
        let mut authenticated = self.answer_in_turn(&Random::default(), None).await?;
        authenticated.send_ack().await?;
        Ok(authenticated)
    }

    /// Takes a turn to make the ack, and holds it back until the first frame.
    ///
    /// The first frame is a Hello or a Disconnect. Sending the ack in the same write saves a packet
    /// on both sides, and the remote does not need the ack any earlier.
    ///
    /// # Errors
    /// Same as [`answer`](Self::answer).
    pub(crate) async fn answer_in_turn(
        self,
        random: &Random,
        turns: Option<&Turns>,
    ) -> Result<Authenticated<T>, SetupError> {
        let auth = self.auth;
        let answer = || auth.answer(random.draw(HandshakeRandomness::random));
        let answered = in_turn(turns, answer).await;
        let (ack, session) = answered.map_err(|source| SetupError::Handshake {
            stage: Stage::Ack,
            source,
        })?;
        Ok(authenticated(
            session,
            self.reader,
            self.writer,
            (&self.input, BytesMut::from(ack)),
            Direction::Inbound,
            self.addresses,
        ))
    }
}

impl<T: Transport> fmt::Debug for ReceivedAuth<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedAuth")
            .field("claimed", self.claimed())
            .finish_non_exhaustive()
    }
}

/// Runs `step`, which never waits. If there are `turns`, first waits for one of them.
async fn in_turn<R>(turns: Option<&Turns>, step: impl FnOnce() -> R) -> R {
    match turns {
        Some(turns) => turns.take(step).await,
        None => step(),
    }
}

/// Bytes to read at once: a packet of the usual size, followed by the Hello.
const READ_AHEAD: usize = 1024;

/// Waits until at least one byte has arrived, and reads what has arrived.
///
/// A packet has at most 2050 bytes, so the buffer can reserve room for all `bytes`.
async fn read_more<R: AsyncRead + Unpin>(
    reader: &mut R,
    input: &mut BytesMut,
    bytes: usize,
) -> io::Result<()> {
    input.reserve(bytes.max(READ_AHEAD));
    match reader.read_buf(input).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn authenticated<T: Transport>(
    session: Session,
    reader: T::Reader,
    writer: T::Writer,
    (input, unsent): (&BytesMut, BytesMut),
    direction: Direction,
    (local, remote): Addresses,
) -> Authenticated<T> {
    let Session {
        remote: public_key,
        egress,
        ingress,
        binding,
    } = session;
    let wire = Box::new(Wire {
        reader,
        writer,
        ingress,
        egress,
        buffer: ReadBuffer::with_unread(input),
        unsent,
    });
    Authenticated::new(wire, public_key, binding, direction, local, remote)
}

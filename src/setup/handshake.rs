use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::wire::write_flushed;
use super::{Authenticated, SetupError, Wire};
use crate::node::{PublicKey, SecretKey};
use crate::peer::Direction;
use crate::rlpx::{
    HandshakeError, HandshakeRandomness, Initiator, Legacy, ReadBuffer, Recipient, Session, Step,
};
use crate::stage::Stage;
use crate::transport::Transport;

/// Authenticates to the node that a stream was opened to, whose key is known
/// ([RLPx, initial handshake](https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake)).
///
/// The remote proves its identity only with its first frame, so nothing is known of it for sure
/// before [`Authenticated::exchange_hello`] succeeds. Not cancel safe: a dropped call loses the
/// stream.
///
/// # Errors
/// [`SetupError`] at stage auth or ack; the stream is closed.
pub async fn initiate<T: Transport>(
    stream: T,
    key: &SecretKey,
    remote: &PublicKey,
) -> Result<Authenticated<T>, SetupError> {
    let handshake = |stage| move |source| SetupError::Handshake { stage, source };
    let randomness = HandshakeRandomness::random(&mut rand::rng());
    let (mut initiator, auth) =
        Initiator::new(key, remote, randomness).map_err(handshake(Stage::Auth))?;
    let addresses = (stream.local_addr(), stream.remote_addr());
    let (mut reader, mut writer) = stream.split();
    write_flushed(&mut writer, &auth)
        .await
        .map_err(SetupError::io(Stage::Auth))?;

    let mut input = BytesMut::new();
    let session = loop {
        match initiator
            .read_ack(&mut input)
            .map_err(handshake(Stage::Ack))?
        {
            Step::Done(session) => break session,
            Step::NeedMore { state, bytes } => {
                initiator = state;
                read_more(&mut reader, &mut input, bytes)
                    .await
                    .map_err(SetupError::io(Stage::Ack))?;
            }
        }
    };
    Ok(authenticated(
        session,
        reader,
        writer,
        &input,
        Direction::Outbound,
        addresses,
    ))
}

/// Answers the node that opened a stream, and learns its key
/// ([RLPx, initial handshake](https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake)).
///
/// An auth packet can be replayed by anybody, so the identity is proven only when
/// [`Authenticated::exchange_hello`] succeeds. Not cancel safe: a dropped call loses the stream.
///
/// # Errors
/// [`SetupError`] at stage auth or ack; the stream is closed without a message, since none can
/// be sent yet.
pub async fn accept<T: Transport>(
    stream: T,
    key: &SecretKey,
    legacy: Legacy,
) -> Result<Authenticated<T>, SetupError> {
    let handshake = |stage| move |source: HandshakeError| SetupError::Handshake { stage, source };
    let addresses = (stream.local_addr(), stream.remote_addr());
    let (mut reader, mut writer) = stream.split();
    let mut input = BytesMut::new();
    let mut recipient = Recipient::new(key, legacy);
    let auth = loop {
        match recipient
            .read_auth(&mut input)
            .map_err(handshake(Stage::Auth))?
        {
            Step::Done(auth) => break auth,
            Step::NeedMore { state, bytes } => {
                recipient = state;
                read_more(&mut reader, &mut input, bytes)
                    .await
                    .map_err(SetupError::io(Stage::Auth))?;
            }
        }
    };
    let randomness = HandshakeRandomness::random(&mut rand::rng());
    let (ack, session) = auth.answer(randomness).map_err(handshake(Stage::Ack))?;
    write_flushed(&mut writer, &ack)
        .await
        .map_err(SetupError::io(Stage::Ack))?;
    Ok(authenticated(
        session,
        reader,
        writer,
        &input,
        Direction::Inbound,
        addresses,
    ))
}

/// Reads whatever is there, at least one byte. Packets are at most 2050 bytes, so what is asked
/// for may be reserved.
async fn read_more<R: AsyncRead + Unpin>(
    reader: &mut R,
    input: &mut BytesMut,
    bytes: usize,
) -> io::Result<()> {
    input.reserve(bytes);
    match reader.read_buf(input).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn authenticated<T: Transport>(
    session: Session,
    reader: T::Reader,
    writer: T::Writer,
    input: &BytesMut,
    direction: Direction,
    (local, remote): (Option<std::net::SocketAddr>, Option<std::net::SocketAddr>),
) -> Authenticated<T> {
    let Session {
        remote: public_key,
        egress,
        ingress,
        binding,
    } = session;
    let wire = Wire {
        reader,
        writer,
        ingress,
        egress,
        buffer: ReadBuffer::with_unread(input),
    };
    Authenticated::new(wire, public_key, binding, direction, local, remote)
}

//! Runs the vectors of `tests/vectors/devp2p.json` through the public interface.

mod auth_packets;
mod capabilities;
mod cases;
mod disconnect;
mod first_frames;
mod hello;
mod message_ids;
mod nodes;
mod transcripts;

use std::sync::LazyLock;

use bytes::BytesMut;
use data_encoding::HEXLOWER;
use peermux::node::SecretKey;
use peermux::rlpx::{
    AuthReceived, HandshakeError, HandshakeRandomness, Initiator, Legacy, Recipient, Session, Step,
};
use serde_json::Value;
use zeroize::Zeroizing;

/// All sections of the file.
pub(crate) static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../vectors/devp2p.json")).unwrap());

/// Returns the cases of a section.
pub(crate) fn cases(section: &str) -> &'static [Value] {
    VECTORS[section]["cases"].as_array().unwrap()
}

/// Returns a text field.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

/// Decodes a hexadecimal field.
pub(crate) fn hex(value: &Value, name: &str) -> Vec<u8> {
    HEXLOWER.decode(text(value, name).as_bytes()).unwrap()
}

/// Decodes a hexadecimal field of fixed length.
pub(crate) fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    hex(value, name).try_into().unwrap()
}

/// Returns a secret key.
pub(crate) fn key(value: &Value, name: &str) -> SecretKey {
    SecretKey::from_bytes(&array(value, name)).unwrap()
}

/// Returns the randomness with which `side` made `packet`.
///
/// The packet is "auth" or "ack".
fn randomness(transcript: &Value, side: &str, packet: &str) -> HandshakeRandomness {
    let made_with = &transcript[packet];
    HandshakeRandomness::from_parts(
        key(transcript, &format!("{side}_ephemeral_key")),
        Zeroizing::new(array(transcript, &format!("{side}_nonce"))),
        key(made_with, "ecies_ephemeral_key"),
        array(made_with, "iv"),
        made_with["zero_padding_bytes"].as_u64().unwrap() as usize,
    )
}

/// Reads an auth packet as a transcript's recipient.
fn read_auth(
    transcript: &Value,
    packet: &[u8],
    legacy: Legacy,
) -> Result<AuthReceived, HandshakeError> {
    let recipient = Recipient::new(&key(transcript, "recipient_static_key"), legacy);
    let mut input = BytesMut::from(packet);
    match recipient.read_auth(&mut input)? {
        Step::Done(auth) => {
            assert!(input.is_empty());
            Ok(auth)
        }
        Step::NeedMore { bytes, .. } => panic!("{bytes} more bytes needed"),
    }
}

/// Repeats a transcript's handshake; returns both sides, the initiator first. Each packet is
/// rebuilt and must equal the transcript's, byte for byte.
fn handshake(transcript: &Value) -> (Session, Session) {
    let recipient_key = key(transcript, "recipient_static_key");
    let (initiator, auth) = Initiator::new(
        &key(transcript, "initiator_static_key"),
        &recipient_key.public_key(),
        randomness(transcript, "initiator", "auth"),
    )
    .unwrap();
    assert_eq!(auth, hex(&transcript["auth"], "packet"));
    let received = read_auth(transcript, &auth, Legacy::Refuse).unwrap();
    let (ack, recipient) = received
        .answer(randomness(transcript, "recipient", "ack"))
        .unwrap();
    assert_eq!(ack, hex(&transcript["ack"], "packet"));
    let mut input = BytesMut::from(&ack[..]);
    let Ok(Step::Done(initiator)) = initiator.read_ack(&mut input) else {
        panic!("the ack was refused");
    };
    (initiator, recipient)
}

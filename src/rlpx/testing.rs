//! Shared by the unit tests of this module: published vectors and a pair of sessions.

use std::sync::LazyLock;

use bytes::BytesMut;
use data_encoding::HEXLOWER;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::{HandshakeRandomness, Initiator, Legacy, Recipient, Session, Step};
use crate::node::SecretKey;

pub(super) static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../tests/vectors/devp2p.json")).unwrap()
});

/// Decodes the hexadecimal text in the member `name`.
pub(super) fn hex(value: &Value, name: &str) -> Vec<u8> {
    let text = value[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

pub(super) fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    hex(value, name).try_into().unwrap()
}

pub(super) fn key(value: &Value, name: &str) -> SecretKey {
    SecretKey::from_bytes(&array(value, name)).unwrap()
}

/// Returns randomness that depends on `seed` only.
pub(super) fn randomness(seed: u64) -> HandshakeRandomness {
    HandshakeRandomness::random(&mut StdRng::seed_from_u64(seed))
}

/// Returns the result of a step that is done.
pub(super) fn done<S: std::fmt::Debug, T>(step: Step<S, T>) -> T {
    match step {
        Step::Done(result) => result,
        Step::NeedMore { bytes, .. } => panic!("{bytes} more bytes needed"),
    }
}

/// Returns both ends of a connection, initiator first.
pub(crate) fn sessions() -> (Session, Session) {
    let rng = &mut StdRng::seed_from_u64(1);
    let (dialler, listener) = (SecretKey::random(rng), SecretKey::random(rng));
    let (initiator, auth) =
        Initiator::new(&dialler, &listener.public_key(), randomness(2)).unwrap();
    let auth = done(
        Recipient::new(&listener, Legacy::Refuse)
            .read_auth(&mut BytesMut::from(&auth[..]))
            .unwrap(),
    );
    let (ack, recipient) = auth.answer(randomness(3)).unwrap();
    let initiator = done(initiator.read_ack(&mut BytesMut::from(&ack[..])).unwrap());
    (initiator, recipient)
}

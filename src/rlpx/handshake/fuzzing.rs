//! What fuzz targets do that a correct peer never does: any plaintext, correctly encrypted.

use bytes::{Bytes, BytesMut};

use super::packet::{Ack, Auth};
use super::{AuthReceived, HandshakeRandomness, Initiator, Session};
use crate::node::PublicKey;
use crate::rlpx::ecies;

/// A packet with this plaintext, in the format of EIP-8.
pub fn seal_eip8(
    plaintext: &[u8],
    remote: &PublicKey,
    randomness: &HandshakeRandomness,
) -> Vec<u8> {
    let size = plaintext.len() + randomness.packet.padding + ecies::OVERHEAD;
    let prefix = (size as u16).to_be_bytes();
    let mut packet = prefix.to_vec();
    ecies::seal(plaintext, remote, &randomness.packet, &prefix, &mut packet);
    packet
}

/// A packet with this plaintext, in the format from before EIP-8.
pub fn seal_legacy(
    plaintext: &[u8],
    remote: &PublicKey,
    randomness: &HandshakeRandomness,
) -> Vec<u8> {
    let mut packet = Vec::new();
    ecies::seal(plaintext, remote, &randomness.packet, &[], &mut packet);
    packet
}

/// An auth's plaintext as we would write it, if this is one.
pub fn reencode_auth(plaintext: &[u8]) -> Option<BytesMut> {
    Auth::decode(plaintext).ok().map(|auth| auth.encode())
}

/// An ack's plaintext as we would write it, if this is one.
pub fn reencode_ack(plaintext: &[u8]) -> Option<BytesMut> {
    Ack::decode(plaintext).ok().map(|ack| ack.encode())
}

/// The recipient's session, if it had answered with the packet `ack`.
pub fn session(auth: &AuthReceived, own: &HandshakeRandomness, ack: &[u8]) -> Session {
    auth.exchange(&own.ephemeral, &own.nonce, ack).session()
}

/// The ephemeral key recovered from an auth's signature.
pub fn ephemeral(auth: &AuthReceived) -> &PublicKey {
    &auth.remote_ephemeral
}

/// The initiator, as if it had sent the packet `auth` instead of its own.
pub fn having_sent(mut initiator: Initiator, auth: &[u8]) -> Initiator {
    initiator.auth = Bytes::copy_from_slice(auth);
    initiator
}

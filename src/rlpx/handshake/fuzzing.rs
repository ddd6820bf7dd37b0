//! Functions for fuzz targets, to encrypt plaintexts that a correct peer never sends.

use bytes::{Bytes, BytesMut};

use super::packet::{Ack, Auth};
use super::{AuthReceived, HandshakeRandomness, Initiator, Session};
use crate::node::PublicKey;
use crate::rlpx::ecies;

/// Seals a plaintext as an EIP-8 packet.
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

/// Seals a plaintext as a packet in the format from before EIP-8.
pub fn seal_legacy(
    plaintext: &[u8],
    remote: &PublicKey,
    randomness: &HandshakeRandomness,
) -> Vec<u8> {
    let mut packet = Vec::new();
    ecies::seal(plaintext, remote, &randomness.packet, &[], &mut packet);
    packet
}

/// Decodes an auth's plaintext and encodes it again.
pub fn reencode_auth(plaintext: &[u8]) -> Option<BytesMut> {
    Auth::decode(plaintext).ok().map(|auth| auth.encode())
}

/// Decodes an ack's plaintext and encodes it again.
pub fn reencode_ack(plaintext: &[u8]) -> Option<BytesMut> {
    Ack::decode(plaintext).ok().map(|ack| ack.encode())
}

/// Returns the recipient's session after it answered with the packet `ack`.
pub fn session(auth: &AuthReceived, own: &HandshakeRandomness, ack: &[u8]) -> Session {
    auth.exchange(&own.ephemeral, &own.nonce, ack).session()
}

/// Returns the ephemeral key recovered from an auth's signature.
pub fn ephemeral(auth: &AuthReceived) -> &PublicKey {
    &auth.remote_ephemeral
}

/// Makes an initiator believe that it sent `auth` instead of its own packet.
pub fn having_sent(mut initiator: Initiator, auth: &[u8]) -> Initiator {
    initiator.auth = Bytes::copy_from_slice(auth);
    initiator
}

//! The plaintexts from before EIP-8: fixed layouts, without a size prefix or padding.
//!
//! ```text
//! auth = signature (65) || keccak(ephemeral key) (32) || static key (64) || nonce (32) || 00
//! ack  = ephemeral key (64) || nonce (32) || 00
//! ```
//!
//! The last byte was a flag that no implementation used.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::Nonce;
use super::packet::{Ack, Auth, public_key};
use crate::node::PublicKey;
use crate::rlpx::ecies::{self, PacketRandomness};
use crate::rlpx::error::HandshakeError;

const AUTH_PLAINTEXT: usize = 194;
const ACK_PLAINTEXT: usize = 97;

/// Bytes of an auth packet.
pub(super) const AUTH_LENGTH: usize = AUTH_PLAINTEXT + ecies::OVERHEAD;

/// Bytes of an ack packet.
pub(super) const ACK_LENGTH: usize = ACK_PLAINTEXT + ecies::OVERHEAD;

/// Reads an auth.
///
/// The signature yields the ephemeral key, so the key's hash is skipped.
pub(super) fn decode_auth(plaintext: &[u8]) -> Result<Auth, HandshakeError> {
    let mut rest = plaintext;
    let signature = take(&mut rest, "signature")?;
    let _hash: [u8; 32] = take(&mut rest, "hash of the ephemeral key")?;
    Ok(Auth {
        signature,
        initiator: public_key(take(&mut rest, "initiator's public key")?)?,
        nonce: Nonce::new(take(&mut rest, "initiator's nonce")?),
    })
}

/// Reads an ack.
pub(super) fn decode_ack(plaintext: &[u8]) -> Result<Ack, HandshakeError> {
    let mut rest = plaintext;
    Ok(Ack {
        ephemeral: public_key(take(&mut rest, "recipient's ephemeral key")?)?,
        nonce: Nonce::new(take(&mut rest, "recipient's nonce")?),
    })
}

/// Writes an ack and encrypts it for `remote`.
pub(super) fn seal_ack(ack: &Ack, remote: &PublicKey, randomness: PacketRandomness) -> Bytes {
    let mut plaintext = Zeroizing::new(Vec::with_capacity(ACK_PLAINTEXT));
    plaintext.extend_from_slice(&ack.ephemeral.to_bytes());
    plaintext.extend_from_slice(ack.nonce.as_slice());
    plaintext.push(0);
    let mut packet = Vec::with_capacity(ACK_LENGTH);
    let unpadded = PacketRandomness {
        padding: 0,
        ..randomness
    };
    ecies::seal(&plaintext, remote, &unpadded, &[], &mut packet);
    packet.into()
}

fn take<const N: usize>(
    rest: &mut &[u8],
    element: &'static str,
) -> Result<[u8; N], HandshakeError> {
    let (taken, behind) = rest
        .split_first_chunk()
        .ok_or(HandshakeError::ElementLength {
            element,
            got: rest.len(),
            expected: N,
        })?;
    *rest = behind;
    Ok(*taken)
}

//! ECIES as RLPx uses it ([devp2p rlpx.md], "ECIES Encryption").
//!
//! It combines ECDH on secp256k1, the concatenation KDF with SHA-256, AES-128-CTR and HMAC-SHA256.
//!
//! ```text
//! packet = R (65) || IV (16) || ciphertext || tag (32)
//! ```
//!
//! [devp2p rlpx.md]: https://github.com/ethereum/devp2p/blob/master/rlpx.md#ecies-encryption

use hmac::{Hmac, KeyInit, Mac};
use peermux_crypto::Aes128Ctr;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::error::HandshakeError;
use crate::node::{PublicKey, SecretKey};

const POINT: usize = 65;
const IV: usize = 16;
const TAG: usize = 32;

/// How many bytes longer a packet is than its plaintext.
pub(super) const OVERHEAD: usize = POINT + IV + TAG;

/// The random values of a packet.
pub(super) struct PacketRandomness {
    pub(super) ephemeral: SecretKey,
    pub(super) iv: [u8; IV],
    /// How many zeros are encrypted after the plaintext.
    pub(super) padding: usize,
}

/// The two keys derived from a shared secret.
struct Keys {
    encryption: Zeroizing<[u8; 16]>,
    /// 32 bytes, padded with zeros to a block of SHA-256.
    ///
    /// HMAC itself would pad the key in this way. Padding it here gives the key a fixed length, so
    /// the length cannot be wrong.
    mac: Zeroizing<[u8; 64]>,
}

impl Keys {
    fn derive(shared: &[u8; 32]) -> Self {
        let mut output: [u8; 32] = Sha256::new_with_prefix([0, 0, 0, 1])
            .chain_update(shared)
            .finalize()
            .into();
        let mut keys = Self {
            encryption: Zeroizing::new([0; 16]),
            mac: Zeroizing::new([0; 64]),
        };
        keys.encryption.copy_from_slice(&output[..16]);
        keys.mac[..32].copy_from_slice(&Sha256::digest(&output[16..]));
        output.zeroize();
        keys
    }

    fn cipher(&self, iv: &[u8; IV]) -> Aes128Ctr {
        Aes128Ctr::new(&self.encryption, iv)
    }

    fn mac(&self, iv_and_ciphertext: &[u8], shared_mac_data: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new((&*self.mac).into())
            .chain_update(iv_and_ciphertext)
            .chain_update(shared_mac_data)
    }
}

/// Appends `plaintext` and the padding to `out`, encrypted for `remote`.
///
/// The tag authenticates `shared_mac_data` too.
pub(super) fn seal(
    plaintext: &[u8],
    remote: &PublicKey,
    randomness: &PacketRandomness,
    shared_mac_data: &[u8],
    out: &mut Vec<u8>,
) {
    let PacketRandomness {
        ephemeral,
        iv,
        padding,
    } = randomness;
    let keys = Keys::derive(&ephemeral.ecdh(remote));
    out.extend_from_slice(&ephemeral.public_key().to_uncompressed());
    let iv_start = out.len();
    out.extend_from_slice(iv);
    out.extend_from_slice(plaintext);
    out.resize(out.len() + padding, 0);
    keys.cipher(iv).apply_keystream(&mut out[iv_start + IV..]);
    let tag = keys.mac(&out[iv_start..], shared_mac_data).finalize();
    out.extend_from_slice(&tag.into_bytes());
}

/// Verifies the tag of `packet`, then decrypts it.
///
/// # Errors
/// [`PacketTooSmall`](HandshakeError::PacketTooSmall) if the packet is too short to split,
/// [`InvalidPublicKey`](HandshakeError::InvalidPublicKey) if its point is not on the curve,
/// [`TagMismatch`](HandshakeError::TagMismatch) if its tag is wrong.
pub(super) fn open(
    packet: &[u8],
    key: &SecretKey,
    shared_mac_data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
    let (point, sealed, tag) = split(packet).ok_or(HandshakeError::PacketTooSmall {
        got: packet.len(),
        min: OVERHEAD,
    })?;
    let point = PublicKey::from_uncompressed(point).map_err(HandshakeError::InvalidPublicKey)?;
    let keys = Keys::derive(&key.ecdh(&point));
    keys.mac(sealed, shared_mac_data)
        .verify(tag.into())
        .map_err(|_| HandshakeError::TagMismatch)?;
    let Some((iv, ciphertext)) = sealed.split_first_chunk::<IV>() else {
        return Err(HandshakeError::TagMismatch);
    };
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    keys.cipher(iv).apply_keystream(&mut plaintext);
    Ok(plaintext)
}

/// Splits a packet into point, IV with ciphertext, and tag.
fn split(packet: &[u8]) -> Option<(&[u8; POINT], &[u8], &[u8; TAG])> {
    let (point, rest) = packet.split_first_chunk()?;
    let (sealed, tag) = rest.split_last_chunk()?;
    (sealed.len() >= IV).then_some((point, sealed, tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rlpx::testing::{VECTORS, array, hex, key};
    use serde_json::Value;

    /// Checks each step from the shared secret to the plaintext against published values.
    fn check(packet: &[u8], prefix: usize, receiver: &SecretKey, expected: &Value) {
        let (shared_mac_data, packet) = packet.split_at(prefix);
        assert_eq!(shared_mac_data, hex(expected, "shared_mac_data"));
        let (point, sealed, tag) = split(packet).unwrap();
        let shared = receiver.ecdh(&PublicKey::from_uncompressed(point).unwrap());
        assert_eq!(shared[..], hex(expected, "z"));
        let keys = Keys::derive(&shared);
        assert_eq!(keys.encryption[..], hex(expected, "k_enc"));
        assert_eq!(keys.mac[..32], hex(expected, "k_mac_hmac_key"));
        assert_eq!(sealed[..IV], hex(expected, "iv"));
        assert_eq!(tag[..], hex(expected, "tag"));
        let plaintext = open(packet, receiver, shared_mac_data).unwrap();
        if expected["plaintext"].is_string() {
            assert_eq!(plaintext[..], hex(expected, "plaintext"));
        } else {
            let body = hex(expected, "rlp_body");
            let padding = expected["zero_padding_bytes"].as_u64().unwrap();
            assert_eq!(plaintext[..body.len()], body);
            assert_eq!(plaintext[body.len()..], vec![0; padding as usize]);
        }
    }

    #[test]
    fn intermediate_values_of_eip8() {
        let eip8 = &VECTORS["eip8_handshake"];
        for (packet, prefix, receiver) in [
            ("auth1_legacy", 0, "static_key_B"),
            ("auth2", 2, "static_key_B"),
            ("ack1_legacy", 0, "static_key_A"),
            ("ack2", 2, "static_key_A"),
        ] {
            let expected = &eip8[format!("ecies_{packet}")];
            check(&hex(eip8, packet), prefix, &key(eip8, receiver), expected);
        }
    }

    #[test]
    fn intermediate_values_of_the_transcripts() {
        for name in ["transcript_v4_uncompressed", "transcript_v5_snappy"] {
            let transcript = &VECTORS[name];
            for (packet, receiver) in [
                ("auth", "recipient_static_key"),
                ("ack", "initiator_static_key"),
            ] {
                let expected = &transcript[packet];
                let receiver = key(transcript, receiver);
                check(&hex(expected, "packet"), 2, &receiver, expected);
            }
        }
    }

    #[test]
    fn a_sealed_packet_opens_only_with_the_same_shared_data() {
        let transcript = &VECTORS["transcript_v4_uncompressed"];
        let receiver = key(transcript, "recipient_static_key");
        let randomness = PacketRandomness {
            ephemeral: key(transcript, "initiator_ephemeral_key"),
            iv: array(&transcript["auth"], "iv"),
            padding: 5,
        };
        let mut packet = Vec::new();
        let public = receiver.public_key();
        seal(b"plaintext", &public, &randomness, b"shared", &mut packet);
        assert_eq!(packet.len(), 9 + 5 + OVERHEAD);
        let plaintext = open(&packet, &receiver, b"shared").unwrap();
        assert_eq!(plaintext[..], *b"plaintext\0\0\0\0\0");
        let mismatch = Err(HandshakeError::TagMismatch);
        assert_eq!(open(&packet, &receiver, b"sharer"), mismatch);
        let too_small = open(&packet[..OVERHEAD - 1], &receiver, b"shared");
        assert!(matches!(
            too_small,
            Err(HandshakeError::PacketTooSmall { got: 112, min: 113 })
        ));
    }
}

//! Packets in the format of [EIP-8], and the reception of packets in both formats.
//!
//! ```text
//! packet = size (2) || ECIES(RLP list || padding), authenticated together with the size
//! ```
//!
//! [EIP-8]: https://eips.ethereum.org/EIPS/eip-8

use bytes::{Bytes, BytesMut};
use zeroize::{Zeroize, Zeroizing};

use super::Nonce;
use crate::node::{PublicKey, SecretKey};
use crate::rlp::write::{put_list, put_number, put_string};
use crate::rlp::{Reader, check_canonical};
use crate::rlpx::ecies::{self, PacketRandomness};
use crate::rlpx::error::HandshakeError;

/// The maximum number of bytes after the size prefix, received or sent.
const MAX_SIZE: usize = 2048;

const PREFIX: usize = 2;

/// The version in both packets, which receivers ignore.
const VERSION: u64 = 4;

/// The format of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Eip8,
    Legacy,
}

/// A packet that was taken from the input and decrypted.
pub(super) struct Received {
    /// The bytes of the packet on the wire, which the MACs absorb.
    pub(super) packet: Bytes,
    pub(super) plaintext: Zeroizing<Vec<u8>>,
    pub(super) format: Format,
}

/// The result of [`Receiver::receive`].
pub(super) enum Reception {
    NeedMore {
        /// The minimum number of bytes still needed.
        bytes: usize,
    },
    Packet(Received),
}

/// Takes one packet from the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiver {
    /// The length of a legacy packet; `None` if the next packet cannot be one.
    pub(super) legacy: Option<usize>,
}

impl Receiver {
    /// Returns the minimum number of bytes still missing before a packet can be opened.
    pub(super) fn lacks(&self, input: &[u8]) -> Result<usize, HandshakeError> {
        let length = match (self.legacy, input) {
            // A legacy packet starts with 4, the format byte of its point, and so does an EIP-8
            // packet of 1024 to 1279 bytes. Every such EIP-8 packet is longer than a legacy packet,
            // so waiting for the legacy size stalls neither of them.
            (Some(length), [4, ..]) => length,
            (_, &[high, low, ..]) => PREFIX + checked_size([high, low])?,
            _ => PREFIX,
        };
        Ok(length.saturating_sub(input.len()))
    }

    /// Takes a packet for `key` from the front of `input`, if it is complete.
    pub(super) fn receive(
        &mut self,
        key: &SecretKey,
        input: &mut BytesMut,
    ) -> Result<Reception, HandshakeError> {
        if let (Some(length), 0, [4, ..]) = (self.legacy, self.lacks(input)?, &input[..]) {
            if let Ok(plaintext) = ecies::open(&input[..length], key, &[]) {
                return Ok(Reception::Packet(Received {
                    packet: input.split_to(length).freeze(),
                    plaintext,
                    format: Format::Legacy,
                }));
            }
            self.legacy = None;
        }
        let bytes = self.lacks(input)?;
        let (0, Some(&prefix)) = (bytes, input.first_chunk::<PREFIX>()) else {
            return Ok(Reception::NeedMore { bytes });
        };
        let length = PREFIX + checked_size(prefix)?;
        let plaintext = ecies::open(&input[PREFIX..length], key, &prefix)?;
        Ok(Reception::Packet(Received {
            packet: input.split_to(length).freeze(),
            plaintext,
            format: Format::Eip8,
        }))
    }
}

fn checked_size(prefix: [u8; PREFIX]) -> Result<usize, HandshakeError> {
    let got = usize::from(u16::from_be_bytes(prefix));
    if got > MAX_SIZE {
        return Err(HandshakeError::PacketTooLarge { got, max: MAX_SIZE });
    }
    if got < ecies::OVERHEAD {
        let min = ecies::OVERHEAD;
        return Err(HandshakeError::PacketTooSmall { got, min });
    }
    Ok(got)
}

/// Pads `body`, encrypts it for `remote` and wipes it.
pub(super) fn seal(
    mut body: BytesMut,
    remote: &PublicKey,
    randomness: &PacketRandomness,
) -> Result<Bytes, HandshakeError> {
    let padding = randomness.padding;
    if padding > MAX_SIZE - ecies::OVERHEAD - body.len() {
        return Err(HandshakeError::PaddingTooLong {
            got: padding,
            max: MAX_SIZE,
        });
    }
    let size = body.len() + padding + ecies::OVERHEAD;
    let prefix = (size as u16).to_be_bytes();
    let mut packet = Vec::with_capacity(PREFIX + size);
    packet.extend_from_slice(&prefix);
    ecies::seal(&body, remote, randomness, &prefix, &mut packet);
    body.zeroize();
    Ok(packet.into())
}

/// Encodes a list.
fn encode(append: impl FnOnce(&mut BytesMut)) -> BytesMut {
    // The buffer is large enough never to be moved, so that wiping the result leaves no copy.
    let mut body = BytesMut::with_capacity(256);
    put_list(&mut body, append);
    body
}

/// The content of an auth packet.
pub(super) struct Auth {
    pub(super) signature: [u8; 65],
    pub(super) initiator: PublicKey,
    pub(super) nonce: Nonce,
}

impl Auth {
    pub(super) fn encode(&self) -> BytesMut {
        encode(|list| {
            put_string(list, &self.signature);
            put_string(list, &self.initiator.to_bytes());
            put_string(list, self.nonce.as_slice());
            put_number(list, VERSION);
        })
    }

    pub(super) fn decode(plaintext: &[u8]) -> Result<Self, HandshakeError> {
        let mut list = list(plaintext, 4)?;
        Ok(Self {
            signature: element(&mut list, "signature")?,
            initiator: public_key(element(&mut list, "initiator's public key")?)?,
            nonce: Nonce::new(element(&mut list, "initiator's nonce")?),
        })
    }
}

/// The content of an ack packet.
pub(super) struct Ack {
    pub(super) ephemeral: PublicKey,
    pub(super) nonce: Nonce,
}

impl Ack {
    pub(super) fn encode(&self) -> BytesMut {
        encode(|list| {
            put_string(list, &self.ephemeral.to_bytes());
            put_string(list, self.nonce.as_slice());
            put_number(list, VERSION);
        })
    }

    pub(super) fn decode(plaintext: &[u8]) -> Result<Self, HandshakeError> {
        let mut list = list(plaintext, 3)?;
        Ok(Self {
            ephemeral: public_key(element(&mut list, "recipient's ephemeral key")?)?,
            nonce: Nonce::new(element(&mut list, "recipient's nonce")?),
        })
    }
}

pub(super) fn public_key(bytes: [u8; 64]) -> Result<PublicKey, HandshakeError> {
    PublicKey::from_bytes(&bytes).map_err(HandshakeError::InvalidPublicKey)
}

/// Reads the list at the front of `plaintext`, with at least `expected` elements.
///
/// EIP-8 requires receivers to ignore further elements and any bytes after the list.
fn list(plaintext: &[u8], expected: usize) -> Result<Reader<'_>, HandshakeError> {
    check_canonical(plaintext).map_err(HandshakeError::NotCanonical)?;
    let list = Reader::new(plaintext).list();
    let list = list.map_err(|_| HandshakeError::NotAList)?;
    match list.count() {
        got if got < expected => Err(HandshakeError::TooFewElements { got, expected }),
        _ => Ok(list),
    }
}

/// Reads the next element, a byte string of `N` bytes.
fn element<const N: usize>(
    list: &mut Reader<'_>,
    element: &'static str,
) -> Result<[u8; N], HandshakeError> {
    let data = list.string().unwrap_or_default();
    data.try_into().map_err(|_| HandshakeError::ElementLength {
        element,
        got: data.len(),
        expected: N,
    })
}

//! The encoding of the messages of `comm/1`, which the documentation of `comm` lists.

use bytes::{Bytes, BytesMut};

use super::CommError;
use crate::message::payload::encode_shared;
use crate::message::{Message, MessageError};
use crate::printable::printable;
use crate::rlp::write::{put_list, put_number, put_string};
use crate::rlp::{Reader, RlpError, check_exact};
use crate::spare::Spare;

pub(crate) const ESTABLISH: u64 = 0x00;
pub(crate) const DATA: u64 = 0x01;
pub(crate) const ACK: u64 = 0x02;
/// How many message codes the protocol uses.
pub(crate) const LENGTH: u64 = 4;

/// The approximate size of a message without its byte strings, in bytes.
const HEADERS: usize = 64;

/// The largest id that is read, in bytes. If an id within this limit has a wrong length, the check
/// of the proof rejects it.
const MAX_ID: usize = 64;
/// The largest identity that is read, in bytes.
pub(crate) const MAX_IDENTITY: usize = 16 << 10;
/// The largest signature that is read, in bytes.
pub(crate) const MAX_SIGNATURE: usize = 4 << 10;
/// The longest error text in an Ack, in bytes.
pub(crate) const MAX_ERROR: usize = 1 << 10;

/// A message of an upper layer: an opaque payload with nonce, tag and signature.
///
/// Sending never changes a message. Whether the sender waits for an acknowledgement depends on the
/// call, and is no part of the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Envelope {
    /// A number for the upper layer, for example to match an answer to its request.
    pub nonce: u64,
    /// The kind of message, for the predicates of subscriptions.
    pub tag: u64,
    /// The content.
    pub payload: Bytes,
    /// The author's signature, for messages that others pass on; otherwise empty.
    ///
    /// A message that its author sends directly needs none, since the connection authenticates the
    /// author. See [`Comm::sign`](super::Comm::sign).
    pub signature: Bytes,
}

impl Envelope {
    /// A message of kind `tag` without a nonce or a signature.
    #[must_use]
    pub fn new(tag: u64, payload: impl Into<Bytes>) -> Self {
        Self {
            tag,
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// Sets the nonce.
    #[must_use]
    pub fn with_nonce(mut self, nonce: u64) -> Self {
        self.nonce = nonce;
        self
    }

    /// Returns the bytes that the author signs.
    ///
    /// They consist of a domain string, the nonce and the tag as eight big-endian bytes each, and
    /// the payload.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let domain = b"peermux/comm/1/envelope".as_slice();
        [
            domain,
            &self.nonce.to_be_bytes(),
            &self.tag.to_be_bytes(),
            &self.payload,
        ]
        .concat()
    }

    /// Encodes a Data message. `ack` is the number of the requested Ack, or 0 for none.
    pub(crate) fn encode(&self, ack: u64, spare: &Spare) -> Bytes {
        encode_list(
            self.payload.len() + self.signature.len(),
            Some(spare),
            |list| {
                put_number(list, ack);
                put_number(list, self.nonce);
                put_number(list, self.tag);
                put_string(list, &self.payload);
                put_string(list, &self.signature);
            },
        )
    }
}

/// Encodes the list of a message. Small lists share memory, since messages are sent soon and then
/// release it. `size` is the length of all byte strings in the list.
fn encode_list(size: usize, spare: Option<&Spare>, append: impl FnOnce(&mut BytesMut)) -> Bytes {
    encode_shared(size + HEADERS, spare, |out| put_list(out, append))
}

/// An identity's proof that it holds this connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Establish {
    pub(crate) id: Bytes,
    pub(crate) identity: Bytes,
    pub(crate) binding: [u8; 32],
    pub(crate) probe: bool,
    pub(crate) signature: Bytes,
}

impl Establish {
    pub(crate) fn encode(&self) -> Bytes {
        let strings = [&self.id[..], &self.identity, &self.binding, &self.signature];
        encode_list(
            strings.iter().map(|string| string.len()).sum(),
            None,
            |list| {
                put_string(list, &self.id);
                put_string(list, &self.identity);
                put_string(list, &self.binding);
                put_number(list, self.probe.into());
                put_string(list, &self.signature);
            },
        )
    }
}

/// Encodes an Ack; an empty `error` means success. A text over [`MAX_ERROR`] is cut.
pub(crate) fn encode_ack(ack: u64, error: &str) -> Bytes {
    let mut end = error.len().min(MAX_ERROR);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    encode_list(end, None, |list| {
        put_number(list, ack);
        put_string(list, &error.as_bytes()[..end]);
    })
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    Establish(Establish),
    Data { ack: u64, envelope: Envelope },
    Ack { ack: u64, error: String },
}

impl Incoming {
    /// Decodes a message; its byte strings share the received buffer.
    pub(crate) fn decode(message: &Message) -> Result<Self, MessageError> {
        let (code, size) = (message.code, message.payload.len());
        if code > ACK {
            return Err(MessageError::UnknownCode { code });
        }
        let decoded = match code {
            ESTABLISH => establish(&message.payload),
            DATA => data(&message.payload),
            _ => acknowledgement(&message.payload),
        };
        decoded.map_err(|source| match check_exact(&message.payload) {
            Ok(()) => MessageError::Undecodable {
                code,
                size,
                source: source.into(),
            },
            Err(source) => MessageError::Malformed { code, size, source },
        })
    }
}

/// Reads the elements of a list, which must be the whole payload.
fn decode_list<T>(
    payload: &[u8],
    elements: impl FnOnce(&mut Reader<'_>) -> Result<T, RlpError>,
) -> Result<T, RlpError> {
    let mut whole = Reader::new(payload);
    let mut list = whole.list()?;
    whole.end()?;
    let value = elements(&mut list)?;
    list.end()?;
    Ok(value)
}

/// Reads a byte string of at most `max` bytes, which shares the received buffer.
fn bytes(payload: &Bytes, list: &mut Reader<'_>, max: usize) -> Result<Bytes, RlpError> {
    let string = list.string()?;
    if string.len() > max {
        return Err(RlpError::Length);
    }
    Ok(payload.slice_ref(string))
}

fn establish(payload: &Bytes) -> Result<Incoming, RlpError> {
    decode_list(payload, |list| {
        Ok(Incoming::Establish(Establish {
            id: bytes(payload, list, MAX_ID)?,
            identity: bytes(payload, list, MAX_IDENTITY)?,
            binding: list.string()?.try_into().map_err(|_| RlpError::Length)?,
            probe: match list.number()? {
                0 => false,
                1 => true,
                _ => return Err(RlpError::Other("the probe flag is neither 0 nor 1")),
            },
            signature: bytes(payload, list, MAX_SIGNATURE)?,
        }))
    })
}

fn data(payload: &Bytes) -> Result<Incoming, RlpError> {
    decode_list(payload, |list| {
        Ok(Incoming::Data {
            ack: list.number()?,
            envelope: Envelope {
                nonce: list.number()?,
                tag: list.number()?,
                payload: bytes(payload, list, usize::MAX)?,
                signature: bytes(payload, list, MAX_SIGNATURE)?,
            },
        })
    })
}

fn acknowledgement(payload: &Bytes) -> Result<Incoming, RlpError> {
    decode_list(payload, |list| {
        let ack = list.number()?;
        let error = bytes(payload, list, MAX_ERROR)?;
        Ok(Incoming::Ack {
            ack,
            error: printable(&String::from_utf8_lossy(&error), MAX_ERROR),
        })
    })
}

/// Rejects a payload of more than `limit` bytes.
pub(crate) fn check_size(size: usize, limit: usize) -> Result<(), CommError> {
    if size > limit {
        return Err(CommError::TooLarge { size, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rlp::RlpStream;

    fn decode(code: u64, payload: impl Into<Bytes>) -> Result<Incoming, MessageError> {
        Incoming::decode(&Message::new(code, payload))
    }

    #[test]
    fn encoded_messages_decode_to_themselves() {
        let envelope = Envelope {
            nonce: u64::MAX,
            tag: 3,
            payload: Bytes::from_static(b"content"),
            signature: Bytes::from_static(b"sig"),
        };
        let data = decode(DATA, envelope.encode(7, &Spare::default()));
        assert_eq!(data, Ok(Incoming::Data { ack: 7, envelope }));

        let establish = Establish {
            id: Bytes::from_static(&[1; 32]),
            identity: Bytes::from_static(b"me"),
            binding: [2; 32],
            probe: true,
            signature: Bytes::from_static(b"sig"),
        };
        let decoded = decode(ESTABLISH, establish.encode());
        assert_eq!(decoded, Ok(Incoming::Establish(establish)));

        let long = "é".repeat(MAX_ERROR);
        let Ok(Incoming::Ack { ack: 9, error }) = decode(ACK, encode_ack(9, &long)) else {
            panic!("an Ack")
        };
        assert_eq!(error, "é".repeat(MAX_ERROR / 2));
    }

    #[test]
    fn malformed_messages_are_refused() {
        let three = [0xc3, 1, 2, 3].as_slice();
        assert!(matches!(
            decode(9, three),
            Err(MessageError::UnknownCode { code: 9 })
        ));
        for code in [ESTABLISH, DATA, ACK] {
            assert!(matches!(
                decode(code, three),
                Err(MessageError::Undecodable { .. })
            ));
            assert!(matches!(
                decode(code, &b""[..]),
                Err(MessageError::Malformed { .. })
            ));
        }
        let mut out = RlpStream::new_list(5);
        out.append(&0u8).append(&0u8).append(&0u8);
        out.append(&0u8).append(&vec![0u8; MAX_SIGNATURE + 1]);
        assert!(matches!(
            decode(DATA, out.out()),
            Err(MessageError::Undecodable { .. })
        ));
    }

    #[test]
    fn a_list_is_not_a_byte_string() {
        let message = |content: &[u8]| {
            let mut out = RlpStream::new_list(5);
            out.append(&0u8).append(&0u8).append(&0u8);
            out.append_raw(content, 1).append_empty_data();
            out.out()
        };
        assert!(decode(DATA, message(&[0x81, 0x80])).is_ok());
        let list = decode(DATA, message(&[0xc1, 0x05]));
        assert!(matches!(list, Err(MessageError::Undecodable { .. })));
    }
}

use std::time::Duration;

use peermux::Bytes;
use peermux::comm::{Envelope, PeerId};
use peermux::rlp::{Reader, RlpError, RlpStream, check_exact};

pub(super) const DIGEST: u64 = 0x676f_0201;
pub(super) const REQUEST: u64 = 0x676f_0202;
pub(super) const DATA: u64 = 0x676f_0203;

/// Maximum number of ids in one message.
pub(super) const MAX_IDS: usize = 1024;
/// Maximum number of answers to one Request: the size of comm's queue of answers.
pub(super) const MAX_ANSWERS: usize = 64;
/// Maximum lengths of an identity and a signature in bytes, as in comm.
const MAX_IDENTITY: usize = 16 << 10;
const MAX_SIGNATURE: usize = 4 << 10;

/// Byte strings of this length and more have separate length bytes in RLP. The first byte of their
/// header is `LONG_STRING` plus the number of these length bytes.
const LONG: usize = 56;
const LONG_STRING: u8 = 0xb7;

/// Identifies one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct MessageId {
    /// The author.
    pub author: PeerId,
    /// The author's number for the message.
    pub sequence: u64,
}

impl MessageId {
    pub(super) fn new(author: PeerId, sequence: u64) -> Self {
        Self { author, sequence }
    }

    fn to_bytes(self) -> Vec<u8> {
        let sequence = self.sequence.to_be_bytes();
        [&self.author.as_bytes()[..], &sequence].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (author, sequence) = bytes.split_first_chunk()?;
        let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
        Some(Self::new(PeerId::from_bytes(*author), sequence))
    }
}

/// A message with the proof of its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) identity: Bytes,
    pub(super) sequence: u64,
    /// The time since 1970, in whole milliseconds.
    pub(super) written: Duration,
    pub(super) content: Bytes,
    pub(super) signature: Bytes,
}

impl Signed {
    /// Returns the envelope that the author signed.
    pub(super) fn envelope(&self) -> Envelope {
        let written = millis(self.written).to_be_bytes();
        let payload = [&written, &self.content[..]].concat();
        let mut envelope = Envelope::new(DATA, payload).with_nonce(self.sequence);
        envelope.signature = self.signature.clone();
        envelope
    }

    /// Copies the message's byte strings. As slices they would keep the whole received message in
    /// memory.
    pub(super) fn detached(&self) -> Self {
        Self {
            identity: Bytes::copy_from_slice(&self.identity),
            content: Bytes::copy_from_slice(&self.content),
            signature: Bytes::copy_from_slice(&self.signature),
            ..*self
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The messages between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gossiped {
    Digest { pull: bool, ids: Vec<MessageId> },
    Request(Vec<MessageId>),
    Data(Signed),
}

impl Gossiped {
    pub(super) fn encode(&self) -> Envelope {
        match self {
            Self::Digest { pull, ids } => {
                let mut out = RlpStream::new_list(2);
                out.append(&u8::from(*pull));
                append_ids(&mut out, ids);
                Envelope::new(DIGEST, out.out().freeze())
            }
            Self::Request(ids) => {
                let mut out = RlpStream::new();
                append_ids(&mut out, ids);
                Envelope::new(REQUEST, out.out().freeze())
            }
            Self::Data(message) => {
                let mut out = RlpStream::new_list(5);
                append_string(&mut out, &message.identity);
                out.append(&message.sequence)
                    .append(&millis(message.written));
                append_string(&mut out, &message.content);
                append_string(&mut out, &message.signature);
                Envelope::new(DATA, out.out().freeze())
            }
        }
    }

    /// Decodes a message. Returns `None` if it is malformed.
    pub(super) fn decode(envelope: &Envelope) -> Option<Self> {
        check_exact(&envelope.payload).ok()?;
        decode_list(envelope.tag, &envelope.payload).ok()
    }
}

/// Appends a byte string. Long strings are not appended by the `rlp` crate, because it copies byte
/// by byte, which took most of the time of answering a Request. Short strings are appended by the
/// crate, which knows that some of them have no header.
fn append_string(out: &mut RlpStream, string: &Bytes) {
    if string.len() < LONG {
        out.append(string);
        return;
    }
    let length = string.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let (_, length) = length.split_at(zeros);
    let header = [LONG_STRING.saturating_add(length.len() as u8)];
    out.append_raw(&[&header, length, string].concat(), 1);
}

fn append_ids(out: &mut RlpStream, ids: &[MessageId]) {
    out.begin_list(ids.len().min(MAX_IDS));
    for id in ids.iter().take(MAX_IDS) {
        out.append(&id.to_bytes());
    }
}

fn decode_list(tag: u64, payload: &Bytes) -> Result<Gossiped, RlpError> {
    let mut list = Reader::new(payload).list()?;
    let decoded = match tag {
        DIGEST => Gossiped::Digest {
            pull: list.value()?,
            ids: decode_ids(&mut list.list()?)?,
        },
        REQUEST => Gossiped::Request(decode_ids(&mut list)?),
        DATA => {
            let message = Signed {
                identity: payload.slice_ref(list.string()?),
                sequence: list.number()?,
                written: Duration::from_millis(list.number()?),
                content: payload.slice_ref(list.string()?),
                signature: payload.slice_ref(list.string()?),
            };
            if message.identity.len() > MAX_IDENTITY || message.signature.len() > MAX_SIGNATURE {
                return Err(RlpError::Length);
            }
            Gossiped::Data(message)
        }
        _ => return Err(RlpError::Other("unknown tag")),
    };
    list.end()?;
    Ok(decoded)
}

fn decode_ids(list: &mut Reader<'_>) -> Result<Vec<MessageId>, RlpError> {
    let count = list.count();
    if count > MAX_IDS {
        return Err(RlpError::ElementCount);
    }
    (0..count)
        .map(|_| MessageId::from_bytes(list.string()?).ok_or(RlpError::Length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> MessageId {
        MessageId::new(PeerId::from_bytes([byte; 32]), byte.into())
    }

    fn signed() -> Signed {
        Signed {
            identity: Bytes::from_static(b"me"),
            sequence: 7,
            written: Duration::from_millis(90),
            content: Bytes::from_static(b"news"),
            signature: Bytes::from_static(b"sig"),
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let mut long = [signed(), signed(), signed()];
        for (message, length) in long.iter_mut().zip([LONG - 1, LONG, 70_000]) {
            message.content = vec![7; length].into();
            let mut out = RlpStream::new();
            append_string(&mut out, &message.content);
            assert_eq!(out.out(), peermux::rlp::encode(&message.content));
        }
        let [short, long, longer] = long.map(Gossiped::Data);
        let data = Gossiped::Data(signed());
        let digest = Gossiped::Digest {
            pull: true,
            ids: vec![id(1), id(2)],
        };
        let request = Gossiped::Request(vec![id(3)]);
        for message in [data, digest, request, short, long, longer] {
            assert_eq!(Gossiped::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn what_breaks_the_form_is_refused() {
        let many = RlpStream::new_list(MAX_IDS + 1);
        let many = (0..=MAX_IDS).fold(many, |mut out, _| {
            out.append(&id(1).to_bytes());
            out
        });
        // This contains a list where an id's bytes should be.
        let mut list = RlpStream::new_list(1);
        list.begin_list(40).append_raw(&[5; 40], 40);
        for ids in [many.out(), list.out()] {
            assert_eq!(Gossiped::decode(&Envelope::new(REQUEST, ids)), None);
        }
        let mut large = [signed(), signed()];
        large[0].identity = vec![1; MAX_IDENTITY + 1].into();
        large[1].signature = vec![1; MAX_SIGNATURE + 1].into();
        for message in large {
            assert_eq!(Gossiped::decode(&Gossiped::Data(message).encode()), None);
        }
        for tag in [DIGEST, REQUEST, DATA, 0] {
            for payload in [&[][..], &[0xc1], &[0xc2, 2, 0xc0], &[0xc0, 0]] {
                assert_eq!(Gossiped::decode(&Envelope::new(tag, payload)), None);
            }
        }
    }
}

use std::time::Duration;

use peermux::Bytes;
use peermux::comm::{Envelope, PeerId};
use peermux::rlp::{DecoderError, Rlp, RlpStream, check_exact};

pub(super) const DIGEST: u64 = 0x676f_0001;
pub(super) const REQUEST: u64 = 0x676f_0002;
pub(super) const DATA: u64 = 0x676f_0003;

/// The most ids in one message.
pub(super) const MAX_IDS: usize = 1024;
/// Bytes of an id: the author's, and the sequence number.
const ID: usize = PeerId::LENGTH + 8;

/// Names one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct MessageId {
    /// Who wrote it.
    pub author: PeerId,
    /// Which one of the author's it is.
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

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecoderError> {
        let parts = bytes.split_at_checked(PeerId::LENGTH);
        let id = parts.and_then(|(author, sequence)| {
            let author = PeerId::from_bytes(author.try_into().ok()?);
            Some(Self::new(
                author,
                u64::from_be_bytes(sequence.try_into().ok()?),
            ))
        });
        id.ok_or(DecoderError::RlpInvalidLength)
    }
}

/// A message with what proves its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) identity: Bytes,
    pub(super) sequence: u64,
    pub(super) content: Bytes,
    pub(super) signature: Bytes,
}

impl Signed {
    /// What the author signed.
    pub(super) fn envelope(&self) -> Envelope {
        let mut envelope = Envelope::new(DATA, self.content.clone()).with_nonce(self.sequence);
        envelope.signature = self.signature.clone();
        envelope
    }
}

/// What nodes tell each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gossiped {
    Digest { pull: bool, ids: Vec<MessageId> },
    Request(Vec<MessageId>),
    Data { age: Duration, message: Signed },
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
            Self::Data { age, message } => {
                let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                let mut out = RlpStream::new_list(5);
                out.append(&message.identity).append(&message.sequence);
                out.append(&age).append(&message.content);
                out.append(&message.signature);
                Envelope::new(DATA, out.out().freeze())
            }
        }
    }

    /// Reads a message; `None` if it is malformed.
    pub(super) fn decode(envelope: &Envelope) -> Option<Self> {
        check_exact(&envelope.payload).ok()?;
        let list = Rlp::new(&envelope.payload);
        decode_list(envelope.tag, &list, &envelope.payload).ok()
    }
}

fn append_ids(out: &mut RlpStream, ids: &[MessageId]) {
    out.begin_list(ids.len().min(MAX_IDS));
    for id in ids.iter().take(MAX_IDS) {
        out.append(&id.to_bytes());
    }
}

fn decode_list(tag: u64, list: &Rlp<'_>, payload: &Bytes) -> Result<Gossiped, DecoderError> {
    let bytes =
        |index| -> Result<Bytes, DecoderError> { Ok(payload.slice_ref(string(&list.at(index)?)?)) };
    match tag {
        DIGEST => {
            exactly(list, 2)?;
            let pull = match list.val_at(0)? {
                0u8 => false,
                1 => true,
                _ => return Err(DecoderError::Custom("the flag is neither 0 nor 1")),
            };
            let ids = decode_ids(&list.at(1)?)?;
            Ok(Gossiped::Digest { pull, ids })
        }
        REQUEST => decode_ids(list).map(Gossiped::Request),
        DATA => {
            exactly(list, 5)?;
            let message = Signed {
                identity: bytes(0)?,
                sequence: list.val_at(1)?,
                content: bytes(3)?,
                signature: bytes(4)?,
            };
            let age = Duration::from_millis(list.val_at(2)?);
            Ok(Gossiped::Data { age, message })
        }
        _ => Err(DecoderError::Custom("unknown tag")),
    }
}

/// A byte string; the `rlp` crate would give the content of a list for one.
fn string<'a>(item: &Rlp<'a>) -> Result<&'a [u8], DecoderError> {
    match item.is_data() {
        true => item.data(),
        false => Err(DecoderError::RlpExpectedToBeData),
    }
}

fn exactly(list: &Rlp<'_>, count: usize) -> Result<(), DecoderError> {
    match list.is_list() && list.item_count()? == count {
        true => Ok(()),
        false => Err(DecoderError::RlpIncorrectListLen),
    }
}

fn decode_ids(list: &Rlp<'_>) -> Result<Vec<MessageId>, DecoderError> {
    if !list.is_list() || list.item_count()? > MAX_IDS {
        return Err(DecoderError::RlpIncorrectListLen);
    }
    list.iter()
        .map(|id| match string(&id)? {
            bytes if bytes.len() == ID => MessageId::from_bytes(bytes),
            _ => Err(DecoderError::RlpInvalidLength),
        })
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
            content: Bytes::from_static(b"news"),
            signature: Bytes::from_static(b"sig"),
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let age = Duration::from_millis(90);
        let data = Gossiped::Data {
            age,
            message: signed(),
        };
        let digest = Gossiped::Digest {
            pull: true,
            ids: vec![id(1), id(2)],
        };
        for message in [data, digest, Gossiped::Request(vec![id(3)])] {
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
        // A list in the place of an id's bytes.
        let mut list = RlpStream::new_list(1);
        list.begin_list(ID).append_raw(&[5; ID], ID);
        for ids in [many.out(), list.out()] {
            assert_eq!(Gossiped::decode(&Envelope::new(REQUEST, ids)), None);
        }
        for tag in [DIGEST, REQUEST, DATA, 0] {
            for payload in [&[][..], &[0xc1], &[0xc2, 2, 0xc0], &[0xc0, 0]] {
                assert_eq!(Gossiped::decode(&Envelope::new(tag, payload)), None);
            }
        }
    }
}

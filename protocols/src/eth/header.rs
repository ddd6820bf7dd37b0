use std::fmt;

use peermux::rlp::{Raw, Reader, RlpError, ValueError, ValueReader};
use peermux::{BytesMut, RlpValue};

use super::Hash;

/// The index of the block number in a header's list.
const NUMBER: usize = 8;

/// A block's header: its bytes, its parent and its number.
///
/// Other fields are not decoded, so headers with fields of later forks are accepted. A received
/// header shares the memory of its message.
///
/// [`from_rlp`](RlpValue::from_rlp) makes a header from encoded bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    raw: Raw,
    parent: Hash,
    number: u64,
}

impl Header {
    /// Returns the block's number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the parent block's hash.
    #[must_use]
    pub fn parent(&self) -> Hash {
        self.parent
    }

    /// Returns the block's hash, computed on each call.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.raw.as_bytes())
    }

    /// Returns the encoded header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.raw.as_bytes()
    }
}

impl RlpValue for Header {
    fn rlp_size(&self) -> usize {
        self.raw.rlp_size()
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        self.raw.write_rlp(out);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        let raw = Raw::read_rlp(from)?;
        let (parent, number) = look_into(raw.as_bytes())?;
        Ok(Self {
            raw,
            parent,
            number,
        })
    }
}

fn look_into(header: &[u8]) -> Result<(Hash, u64), RlpError> {
    let mut fields = Reader::new(header).list()?;
    let parent = fields.string()?.try_into();
    let parent = parent.map_err(|_| RlpError::Other("a header begins with the parent's hash"))?;
    for _ in 1..NUMBER {
        fields.raw()?;
    }
    Ok((Hash(parent), fields.number()?))
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}, {})", self.number, self.hash())
    }
}

use std::fmt;

use peermux::rlp::{Raw, Reader, RlpError, ValueError, ValueReader};
use peermux::{BytesMut, RlpValue};

use super::Hash;

/// Where a header's number stands in its list.
const NUMBER: usize = 8;

/// A block's header: its bytes, and the number in it. Nothing else of it is looked at, so that headers
/// with fields of later forks are headers, too. A received one shares the memory of its message.
///
/// [`from_rlp`](RlpValue::from_rlp) makes one of encoded bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    raw: Raw,
    parent: Hash,
    number: u64,
}

impl Header {
    /// The block's number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The hash of the block before.
    #[must_use]
    pub fn parent(&self) -> Hash {
        self.parent
    }

    /// The block's hash, which is computed with each call.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.raw.as_bytes())
    }

    /// The header as it is encoded.
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

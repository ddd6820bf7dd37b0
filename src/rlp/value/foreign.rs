use bytes::BytesMut;

use super::{RlpValue, ValueError, ValueReader};
use crate::rlp::{Decodable, Encodable, RlpError, RlpStream};

/// About how many bytes a value takes whose type says nothing about it.
const SOME: usize = 32;

/// A value of a type that implements the `rlp` crate's [`Encodable`] and [`Decodable`], and not
/// [`RlpValue`], e.g. a number of 256 bits from another crate.
///
/// What it takes in memory is not counted: bound the list or the message that it stands in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foreign<T>(
    /// The value.
    pub T,
);

impl<T: Encodable + Decodable> RlpValue for Foreign<T> {
    fn rlp_size(&self) -> usize {
        SOME
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        let mut stream = RlpStream::new_with_buffer(std::mem::take(out));
        stream.append(&self.0);
        *out = stream.out();
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        let value = crate::rlp::Rlp::new(from.raw()?).as_val();
        value
            .map(Self)
            .map_err(|error| RlpError::from(error).into())
    }
}

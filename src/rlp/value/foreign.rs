use bytes::BytesMut;

use super::{RlpValue, ValueError, ValueReader};
use crate::rlp::{Decodable, Encodable, RlpError, RlpStream};

/// The assumed encoded size in bytes, because the `rlp` crate's traits do not provide one.
const SOME: usize = 32;

/// Wraps a type that implements the `rlp` crate's traits as an [`RlpValue`].
///
/// Use it for a type with [`Encodable`] and [`Decodable`] but without [`RlpValue`], e.g. a 256-bit
/// number from another crate. The memory that the wrapped value takes is not counted, so bound the
/// list or the message that holds it.
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

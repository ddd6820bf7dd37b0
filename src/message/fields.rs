//! How one value of a message is written and read, for the code that
//! [`messages!`](crate::messages) generates.
//!
//! Byte strings and numbers go a way of their own: the `rlp` crate allocates for each value that it
//! encodes and copies strings byte by byte, and a received one can share the memory of its payload.
//! Which way a type takes is settled where the macro expands, by method resolution: an inherent
//! method of [`Field`] goes before one of [`AnyField`].

use std::cell::Cell;
use std::convert::Infallible;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};

use crate::arena::Arena;
use crate::rlp::write::{put_number, put_string};
use crate::rlp::{Decodable, Encodable, Reader, RlpError, RlpStream};
use crate::spare::SMALLEST;
pub use crate::spare::Spare;

/// A value of type `T` in a message.
#[derive(Debug)]
pub struct Field<T>(PhantomData<T>);

impl<T> Field<T> {
    /// The field.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// About how many bytes a value takes whose type says nothing about it.
const SOME: usize = 32;

/// Writes and reads values as their own implementations do.
pub trait AnyField<T> {
    /// About how many bytes `value` takes.
    fn size(&self, value: &T) -> usize;

    /// Appends `value`.
    fn append(&self, value: &T, out: &mut BytesMut)
    where
        T: Encodable;

    /// Decodes the next value of `payload`.
    ///
    /// # Errors
    /// As the type decides.
    fn decode(&self, next: &mut Reader<'_>, payload: &Bytes) -> Result<T, RlpError>
    where
        T: Decodable;
}

impl<T> AnyField<T> for Field<T> {
    fn size(&self, _value: &T) -> usize {
        SOME
    }

    fn append(&self, value: &T, out: &mut BytesMut)
    where
        T: Encodable,
    {
        let mut stream = RlpStream::new_with_buffer(std::mem::take(out));
        stream.append(value);
        *out = stream.out();
    }

    fn decode(&self, next: &mut Reader<'_>, _payload: &Bytes) -> Result<T, RlpError>
    where
        T: Decodable,
    {
        next.value()
    }
}

impl Field<Bytes> {
    /// About how many bytes `value` takes.
    #[must_use]
    pub fn size(&self, value: &Bytes) -> usize {
        value.len() + SOME
    }

    /// Appends `value`.
    pub fn append(&self, value: &Bytes, out: &mut BytesMut) {
        put_string(out, value);
    }

    /// The next value, which shares the memory of `payload`.
    ///
    /// # Errors
    /// [`RlpError`] if it is a list.
    pub fn decode(&self, next: &mut Reader<'_>, payload: &Bytes) -> Result<Bytes, RlpError> {
        Ok(payload.slice_ref(next.string()?))
    }
}

impl Field<Vec<u8>> {
    /// About how many bytes `value` takes.
    #[must_use]
    pub fn size(&self, value: &[u8]) -> usize {
        value.len() + SOME
    }

    /// Appends `value`.
    pub fn append(&self, value: &[u8], out: &mut BytesMut) {
        put_string(out, value);
    }
}

impl Field<String> {
    /// About how many bytes `value` takes.
    #[must_use]
    pub fn size(&self, value: &str) -> usize {
        value.len() + SOME
    }

    /// Appends `value`.
    pub fn append(&self, value: &str, out: &mut BytesMut) {
        put_string(out, value.as_bytes());
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(
            impl Field<$number> {
                /// Appends `value`.
                pub fn append(&self, value: &$number, out: &mut BytesMut) {
                    put_number(out, u64::from(*value));
                }

                /// The next value.
                ///
                /// # Errors
                /// [`RlpError`] if it is something else or too large.
                pub fn decode(
                    &self,
                    next: &mut Reader<'_>,
                    _payload: &Bytes,
                ) -> Result<$number, RlpError> {
                    <$number>::try_from(next.number()?).map_err(|_| RlpError::Length)
                }
            }
        )+
    };
}

numbers!(u8, u16, u32, u64);

impl Field<u128> {
    /// Appends `value`.
    pub fn append(&self, value: &u128, out: &mut BytesMut) {
        put_string(
            out,
            &value.to_be_bytes()[value.leading_zeros() as usize / 8..],
        );
    }
}

/// Encodes a payload of its own.
pub fn encode(append: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut payload = BytesMut::new();
    append(&mut payload);
    payload.freeze()
}

/// Encodes a payload that is sent at once, of about `size` bytes, into memory that the payloads of
/// a thread share, or, if it is large, that another payload has left in `spare`.
pub fn encode_shared(
    size: usize,
    spare: Option<&Spare>,
    append: impl FnOnce(&mut BytesMut),
) -> Bytes {
    thread_local! {
        static ARENA: Cell<Arena> = Cell::default();
    }
    if size >= SMALLEST {
        let mut payload =
            spare.map_or_else(|| BytesMut::with_capacity(size), |spare| spare.buffer(size));
        append(&mut payload);
        return payload.freeze();
    }
    let write = |buffer: &mut BytesMut| {
        append(buffer);
        Ok::<_, Infallible>(())
    };
    // While this thread encodes, or after its arena is gone, another one serves.
    let mut arena = ARENA.try_with(Cell::take).unwrap_or_default();
    let Ok(payload) = arena.payload(size, write);
    // Without a thread-local the arena ends here.
    let _ = ARENA.try_with(|shared| shared.set(arena));
    payload
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rlp::write::put_list;
    use crate::rlp::{Rlp, check_canonical};

    proptest! {
        #[test]
        fn values_are_written_as_the_crate_does(
            number: u64,
            large: u128,
            text: String,
            small in 0u16..300,
        ) {
            let mut list = BytesMut::new();
            put_list(&mut list, |out| {
                Field::<u64>::new().append(&number, out);
                Field::<u128>::new().append(&large, out);
                Field::<String>::new().append(&text, out);
                Field::<u16>::new().append(&small, out);
                Field::<bool>::new().append(&true, out);
                Field::<Bytes>::new().append(&Bytes::from(text.clone()), out);
            });
            let mut stream = RlpStream::new_list(6);
            stream.append(&number).append(&large).append(&text).append(&small);
            stream.append(&true).append(&text);
            prop_assert_eq!(list, stream.out());
        }

        #[test]
        fn a_number_is_read_as_the_crate_does(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let payload = Bytes::from(bytes);
            let ours = Field::<u16>::new().decode(&mut Reader::new(&payload), &payload);
            if let Ok(length) = check_canonical(&payload) {
                let by_the_crate = Rlp::new(&payload[..length]).as_val::<u16>();
                prop_assert_eq!(ours.ok(), by_the_crate.ok());
            } else {
                prop_assert!(ours.is_err());
            }
        }
    }
}

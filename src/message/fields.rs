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

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::arena::Arena;
use crate::rlp::{Decodable, DecoderError, Encodable, Rlp, RlpStream};
use crate::spare::{SMALLEST, SPARE};

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

    /// Decodes the value in `rlp`, a part of `payload`.
    ///
    /// # Errors
    /// As the type decides.
    fn decode(&self, rlp: &Rlp<'_>, payload: &Bytes) -> Result<T, DecoderError>
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

    fn decode(&self, rlp: &Rlp<'_>, _payload: &Bytes) -> Result<T, DecoderError>
    where
        T: Decodable,
    {
        rlp.as_val()
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
        append_string(value, out);
    }

    /// The value in `rlp`, which shares the memory of `payload`.
    ///
    /// # Errors
    /// [`DecoderError`] if it is a list.
    pub fn decode(&self, rlp: &Rlp<'_>, payload: &Bytes) -> Result<Bytes, DecoderError> {
        rlp.decoder().decode_value(|value| {
            // A caller that decodes from other memory gets a copy.
            let range = payload.as_ptr_range();
            match range.contains(&value.as_ptr()) {
                true => Ok(payload.slice_ref(value)),
                false => Ok(Bytes::copy_from_slice(value)),
            }
        })
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
        append_string(value, out);
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
        append_string(value.as_bytes(), out);
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(
            impl Field<$number> {
                /// Appends `value`, big-endian and without leading zeros.
                pub fn append(&self, value: &$number, out: &mut BytesMut) {
                    let digits = value.to_be_bytes();
                    append_string(&digits[value.leading_zeros() as usize / 8..], out);
                }
            }
        )+
    };
}

numbers!(u16, u32, u64, u128);

fn append_string(value: &[u8], out: &mut BytesMut) {
    if !matches!(value, [0..0x80]) {
        out.put_slice(Header::new(0x80, value.len()).bytes());
    }
    out.put_slice(value);
}

/// What stands before a string or a list.
struct Header {
    bytes: [u8; Self::MAX],
    start: usize,
}

impl Header {
    const MAX: usize = 9;

    /// `kind` is 0x80 for a string and 0xc0 for a list.
    fn new(kind: u8, length: usize) -> Self {
        let mut bytes = [0; Self::MAX];
        bytes[1..].copy_from_slice(&(length as u64).to_be_bytes());
        let start = if length < 56 {
            bytes[8] += kind;
            8
        } else {
            let zeros = (length as u64).leading_zeros() as usize / 8;
            bytes[zeros] = kind + 55 + (8 - zeros) as u8;
            zeros
        };
        Self { bytes, start }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Appends a list to `out`, which is empty, of the elements that `append` appends.
pub fn append_list(out: &mut BytesMut, append: impl FnOnce(&mut BytesMut)) {
    // The length is known at the end, and its header then put right before the elements.
    out.put_bytes(0, Header::MAX);
    append(out);
    let header = Header::new(0xc0, out.len() - Header::MAX);
    out[header.start..Header::MAX].copy_from_slice(header.bytes());
    out.advance(header.start);
}

/// Reads list elements one after the other.
#[derive(Debug)]
pub struct Fields<'a> {
    list: Rlp<'a>,
    next: usize,
}

impl<'a> Fields<'a> {
    /// Opens a payload as a list of exactly `count` elements.
    ///
    /// # Errors
    /// [`DecoderError`] if it is something else.
    pub fn open(payload: &'a [u8], count: usize) -> Result<Self, DecoderError> {
        let list = Rlp::new(payload);
        if !list.is_list() {
            return Err(DecoderError::RlpExpectedToBeList);
        }
        if list.item_count()? != count {
            return Err(DecoderError::RlpIncorrectListLen);
        }
        Ok(Self { list, next: 0 })
    }

    /// The next element.
    ///
    /// # Errors
    /// [`DecoderError`] if there is none.
    pub fn take(&mut self) -> Result<Rlp<'a>, DecoderError> {
        let element = self.list.at(self.next)?;
        self.next += 1;
        Ok(element)
    }
}

/// Encodes a payload of its own.
pub fn encode(append: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut payload = BytesMut::new();
    append(&mut payload);
    payload.freeze()
}

/// Encodes a payload that is sent at once, of about `size` bytes, into memory that the payloads of
/// a thread share, or, if it is large, that another payload has left.
pub fn encode_shared(size: usize, append: impl FnOnce(&mut BytesMut)) -> Bytes {
    thread_local! {
        static ARENA: Cell<Arena> = Cell::default();
    }
    if size >= SMALLEST {
        let mut payload = SPARE.buffer(size);
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

    fn appended(append: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut out = BytesMut::new();
        append(&mut out);
        out
    }

    #[test]
    fn lengths_around_each_change_of_form() {
        for length in [0, 1, 55, 56, 255, 256, 65_535, 65_536] {
            let value = vec![0x80; length];
            let string = appended(|out| append_string(&value, out));
            assert_eq!(string, crate::rlp::encode(&value));
            let list = appended(|out| append_list(out, |out| out.put_slice(&value)));
            let mut stream = RlpStream::new_list(1);
            stream.append_raw(&value, 1);
            assert_eq!(list, stream.out());
        }
    }

    proptest! {
        #[test]
        fn values_are_written_as_the_crate_does(number: u64, text: String, small in 0u16..300) {
            let list = appended(|out| append_list(out, |out| {
                Field::<u64>::new().append(&number, out);
                Field::<String>::new().append(&text, out);
                Field::<u16>::new().append(&small, out);
                Field::<bool>::new().append(&true, out);
                Field::<Bytes>::new().append(&Bytes::from(text.clone()), out);
            }));
            let mut stream = RlpStream::new_list(5);
            stream.append(&number).append(&text).append(&small);
            stream.append(&true).append(&text);
            prop_assert_eq!(list, stream.out());
        }
    }
}

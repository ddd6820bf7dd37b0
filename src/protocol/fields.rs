//! How one value of a message is written and read, for the code that
//! [`messages!`](crate::messages) generates.
//!
//! Byte strings go a way of their own: the `rlp` crate copies them byte by byte, and a received one
//! can share the memory of its payload. Which way a type takes is settled where the macro expands,
//! by method resolution: an inherent method of [`Field`] goes before one of [`AnyField`].

use std::cell::Cell;
use std::convert::Infallible;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};

use crate::arena::Arena;
use crate::rlp::{Decodable, DecoderError, Encodable, Rlp, RlpStream};

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
    fn append(&self, value: &T, stream: &mut RlpStream)
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

    fn append(&self, value: &T, stream: &mut RlpStream)
    where
        T: Encodable,
    {
        stream.append(value);
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
    pub fn append(&self, value: &Bytes, stream: &mut RlpStream) {
        append_string(value, stream);
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
    pub fn append(&self, value: &[u8], stream: &mut RlpStream) {
        append_string(value, stream);
    }
}

impl Field<String> {
    /// About how many bytes `value` takes.
    #[must_use]
    pub fn size(&self, value: &str) -> usize {
        value.len() + SOME
    }

    /// Appends `value`.
    pub fn append(&self, value: &str, stream: &mut RlpStream) {
        append_string(value.as_bytes(), stream);
    }
}

fn append_string(value: &[u8], stream: &mut RlpStream) {
    match value {
        [byte] if *byte < 0x80 => {}
        _ if value.len() < 56 => {
            stream.append_raw(&[0x80 + value.len() as u8], 0);
        }
        _ => {
            let length = value.len().to_be_bytes();
            let digits = &length[value.len().leading_zeros() as usize / 8..];
            stream.append_raw(&[0xb7 + digits.len() as u8], 0);
            stream.append_raw(digits, 0);
        }
    }
    stream.append_raw(value, 1);
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
pub fn encode(append: impl FnOnce(&mut RlpStream)) -> Bytes {
    let mut stream = RlpStream::new();
    append(&mut stream);
    stream.out().freeze()
}

/// Encodes a payload that is sent at once, of about `size` bytes, into memory that the payloads of a thread share.
pub fn encode_shared(size: usize, append: impl FnOnce(&mut RlpStream)) -> Bytes {
    thread_local! {
        static ARENA: Cell<Arena> = Cell::default();
    }
    let write = |buffer: &mut BytesMut| {
        let mut stream = RlpStream::new_with_buffer(std::mem::take(buffer));
        append(&mut stream);
        *buffer = stream.out();
        Ok::<_, Infallible>(())
    };
    // While this thread encodes, or after its arena is gone, another one serves.
    let mut arena = ARENA.try_with(Cell::take).unwrap_or_default();
    let Ok(payload) = arena.payload(size, write);
    // Without a thread-local the arena ends here.
    let _ = ARENA.try_with(|shared| shared.set(arena));
    payload
}

//! Encoding and decoding of payloads.
//!
//! The code that [`messages!`](crate::messages) generates uses this module, and so do the library's
//! own messages.

use std::cell::Cell;
use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
pub use peermux_macros::messages;

use super::{Message, MessageError, WireMessage};
use crate::arena::Arena;
use crate::rlp::{Memory, ValueError, ValueReader, check_exact};
use crate::spare::SMALLEST;
pub use crate::spare::Spare;

/// The payload of a typed message.
pub trait Payload {
    /// An estimate of the payload's size in bytes.
    fn size(&self) -> usize;

    /// Appends the payload to `out`.
    fn write(&self, out: &mut BytesMut);
}

/// Reads the payload of one message of a set.
pub type Read<M> = fn(&mut ValueReader<'_>) -> Result<M, ValueError>;

/// Encodes a payload into its own memory.
pub fn encode(message: &impl Payload) -> Bytes {
    let mut payload = BytesMut::with_capacity(message.size());
    message.write(&mut payload);
    payload.freeze()
}

/// Encodes a payload that is sent immediately.
pub fn encode_message(message: &impl Payload, spare: Option<&Spare>) -> Bytes {
    encode_shared(message.size(), spare, |out| message.write(out))
}

/// Encodes a payload of about `size` bytes that is sent immediately.
///
/// A small payload goes into memory that the payloads of a thread share. A large payload goes into
/// memory that an earlier payload has left in `spare`, if there is any.
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
    // A nested call, or a call after the thread-local is destroyed, gets a new arena.
    let mut arena = ARENA.try_with(Cell::take).unwrap_or_default();
    let Ok(payload) = arena.payload(size, write);
    // If the thread-local is destroyed, the arena is dropped here.
    let _ = ARENA.try_with(|shared| shared.set(arena));
    payload
}

/// Decodes the payload of `message`, whose name is `name`, with `read`.
///
/// The values in the payload may take `memory` bytes on the heap; `None` means the default for the
/// payload's size.
///
/// # Errors
/// [`MessageError`] for a payload that is too large, is not canonical, or does not match this
/// message.
pub fn decode<M: WireMessage>(
    message: &Message,
    name: &'static str,
    memory: Option<usize>,
    read: Read<M>,
) -> Result<M, MessageError> {
    let (code, size, limit) = (
        message.code,
        message.payload.len(),
        M::max_size(message.code),
    );
    if size > limit {
        return Err(MessageError::TooLarge { code, size, limit });
    }
    check_exact(&message.payload).map_err(|source| MessageError::Malformed {
        code,
        size,
        source,
    })?;
    let memory = memory.map_or_else(|| Memory::for_payload(size), Memory::of);
    let decoded = read(&mut ValueReader::new(&message.payload, &memory));
    decoded.map_err(|source| MessageError::Undecodable {
        code,
        size,
        source: source.in_field(name),
    })
}

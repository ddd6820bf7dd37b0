use std::cell::Cell;

use bytes::Bytes;

use crate::rlp::{Reader, RlpError};

/// The fixed part of the default memory limit for a payload's values, in bytes.
const FREE: usize = 4 << 20;
/// The bytes of memory that the default limit adds for each byte of the payload.
const PER_BYTE: usize = 8;

/// The approximate overhead of an allocation, in bytes.
const ALLOCATION: usize = 16;

/// The memory that the values of one payload may take.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    left: Cell<usize>,
}

impl Memory {
    /// Returns a budget of `limit` bytes.
    pub(crate) fn of(limit: usize) -> Self {
        let left = Cell::new(limit);
        Self { limit, left }
    }

    /// Returns the default budget for a payload of `size` bytes.
    pub(crate) fn for_payload(size: usize) -> Self {
        Self::of(size.saturating_mul(PER_BYTE).saturating_add(FREE))
    }
}

/// Reads consecutive values of a payload, e.g. the elements of a list.
///
/// Byte strings read with [`bytes`](Self::bytes) share the payload's memory. The heap memory of
/// other values is counted with [`charge`](Self::charge), so that the values of a payload cannot
/// take many times its size. Lists, strings and boxes call `charge` themselves. All values of a
/// payload together may take 4 MiB plus eight bytes for each byte of the payload, unless its
/// protocol sets `max_memory` (see [`messages!`](crate::messages)).
#[derive(Debug, Clone)]
pub struct ValueReader<'a> {
    items: Reader<'a>,
    payload: &'a Bytes,
    memory: &'a Memory,
}

impl<'a> ValueReader<'a> {
    /// Returns a reader of the values in `payload`.
    pub(crate) fn new(payload: &'a Bytes, memory: &'a Memory) -> Self {
        Self {
            items: Reader::new(payload),
            payload,
            memory,
        }
    }

    /// Takes the next value, a list, and returns a reader of its elements.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a list.
    #[inline]
    pub fn list(&mut self) -> Result<Self, RlpError> {
        Ok(Self {
            items: self.items.list()?,
            ..*self
        })
    }

    /// Takes the next value, a byte string.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a byte string.
    #[inline]
    pub fn string(&mut self) -> Result<&'a [u8], RlpError> {
        self.items.string()
    }

    /// Takes the next value, a byte string, which shares the memory of the payload.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a byte string.
    #[inline]
    pub fn bytes(&mut self) -> Result<Bytes, RlpError> {
        let string = self.items.string()?;
        Ok(self.shared(string))
    }

    /// Returns a part of the payload, which shares its memory.
    #[inline]
    pub(super) fn shared(&self, part: &[u8]) -> Bytes {
        self.payload.slice_ref(part)
    }

    /// Takes the next value, a number.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a number or has more than 64 bits.
    #[inline]
    pub fn number(&mut self) -> Result<u64, RlpError> {
        self.items.number()
    }

    /// Takes the next value of any kind, with its header.
    ///
    /// # Errors
    /// [`RlpError`] if no well-formed value is left.
    pub fn raw(&mut self) -> Result<&'a [u8], RlpError> {
        self.items.raw()
    }

    /// Returns how many values are left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.items.count()
    }

    /// Returns whether no value is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Checks that no value is left.
    ///
    /// # Errors
    /// [`RlpError::ElementCount`] if a value is left.
    #[inline]
    pub fn end(&self) -> Result<(), RlpError> {
        self.items.end()
    }

    /// Counts an allocation of `bytes` before it is made.
    ///
    /// # Errors
    /// [`RlpError::Memory`] if the values of this payload would exceed their limit.
    #[inline]
    pub fn charge(&self, bytes: usize) -> Result<(), RlpError> {
        if bytes == 0 {
            return Ok(());
        }
        let Memory { limit, left } = self.memory;
        let rest = left.get().checked_sub(bytes.saturating_add(ALLOCATION));
        left.set(rest.ok_or(RlpError::Memory { limit: *limit })?);
        Ok(())
    }
}

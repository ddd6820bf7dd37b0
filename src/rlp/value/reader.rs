use std::cell::Cell;

use bytes::Bytes;

use crate::rlp::{Reader, RlpError};

/// What the values of a payload may take in memory without a word of its protocol: this many bytes,
/// and eight for each byte of the payload.
const FREE: usize = 4 << 20;
const PER_BYTE: usize = 8;

/// What an allocation costs beside the bytes in it, about.
const ALLOCATION: usize = 16;

/// The memory that the values of one payload may take.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    left: Cell<usize>,
}

impl Memory {
    /// At most `limit` bytes.
    pub(crate) fn of(limit: usize) -> Self {
        let left = Cell::new(limit);
        Self { limit, left }
    }

    /// As much as a payload of `size` bytes may take that no protocol has a limit for.
    pub(crate) fn for_payload(size: usize) -> Self {
        Self::of(size.saturating_mul(PER_BYTE).saturating_add(FREE))
    }
}

/// Reads values that stand one behind the other in a payload, as the elements of a list do.
///
/// Byte strings that are taken as [`bytes`](Self::bytes) share the payload's memory. What other
/// values take on the heap is counted with [`charge`](Self::charge), so that a payload cannot turn
/// into many times its size: items of lists, strings and boxes are counted by themselves. All values
/// of a payload together may take 4 MiB and eight bytes for each byte of the payload, unless its
/// protocol says otherwise with `max_memory` (see [`messages!`](crate::messages)).
#[derive(Debug, Clone)]
pub struct ValueReader<'a> {
    items: Reader<'a>,
    payload: &'a Bytes,
    memory: &'a Memory,
}

impl<'a> ValueReader<'a> {
    /// Reads the value that is the whole of `payload`.
    pub(crate) fn new(payload: &'a Bytes, memory: &'a Memory) -> Self {
        Self {
            items: Reader::new(payload),
            payload,
            memory,
        }
    }

    /// The elements of the next value, a list.
    ///
    /// # Errors
    /// [`RlpError`] if it is something else.
    #[inline]
    pub fn list(&mut self) -> Result<Self, RlpError> {
        Ok(Self {
            items: self.items.list()?,
            ..*self
        })
    }

    /// The next value, a byte string.
    ///
    /// # Errors
    /// [`RlpError`] if it is something else.
    #[inline]
    pub fn string(&mut self) -> Result<&'a [u8], RlpError> {
        self.items.string()
    }

    /// The next value, a byte string that shares the memory of the payload.
    ///
    /// # Errors
    /// [`RlpError`] if it is something else.
    #[inline]
    pub fn bytes(&mut self) -> Result<Bytes, RlpError> {
        let string = self.items.string()?;
        Ok(self.shared(string))
    }

    /// A part of the payload, whose memory it shares.
    #[inline]
    pub(super) fn shared(&self, part: &[u8]) -> Bytes {
        self.payload.slice_ref(part)
    }

    /// The next value, a number.
    ///
    /// # Errors
    /// [`RlpError`] if it is something else or has more than 64 bits.
    #[inline]
    pub fn number(&mut self) -> Result<u64, RlpError> {
        self.items.number()
    }

    /// The next value with its header, whatever it is.
    ///
    /// # Errors
    /// [`RlpError`] if there is none.
    pub fn raw(&mut self) -> Result<&'a [u8], RlpError> {
        self.items.raw()
    }

    /// How many values are left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.items.count()
    }

    /// Whether no value is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Checks that no value is left.
    ///
    /// # Errors
    /// [`RlpError::ElementCount`] if one is.
    #[inline]
    pub fn end(&self) -> Result<(), RlpError> {
        self.items.end()
    }

    /// Counts an allocation of `bytes` that is about to hold what is read.
    ///
    /// # Errors
    /// [`RlpError::Memory`] if the values of this payload would take more than they may.
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

//! Shared memory for small payloads.

#[cfg(feature = "server")]
use std::convert::Infallible;

use bytes::{Bytes, BytesMut};

/// The size of a chunk. Each payload keeps its whole chunk allocated.
const CHUNK: usize = 4 << 10;

/// The largest payload that goes into a chunk. For a larger one, an allocation is cheap compared
/// with the other work on it.
const LARGEST: usize = 1 << 10;

/// Chunks of adjacent small payloads, so that few payloads need an allocation of their own. A chunk
/// is freed with the last payload in it.
#[derive(Debug, Default)]
pub(crate) struct Arena(BytesMut);

impl Arena {
    /// Returns the payload that `write` appends to an empty buffer. If the estimate `size` is
    /// wrong, this costs only time.
    pub(crate) fn payload<E>(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        if size > LARGEST {
            let mut buffer = BytesMut::with_capacity(size);
            write(&mut buffer)?;
            return Ok(buffer.freeze());
        }
        if self.0.capacity() < size && !self.0.try_reclaim(size) {
            self.0 = BytesMut::with_capacity(CHUNK);
        }
        let written = write(&mut self.0);
        let payload = if self.0.len() > LARGEST {
            std::mem::take(&mut self.0)
        } else {
            self.0.split()
        };
        written.map(|()| payload.freeze())
    }

    /// Releases the last chunk.
    #[cfg(feature = "server")]
    pub(crate) fn shrink(&mut self) {
        self.0 = BytesMut::new();
    }
}

/// Limits the shared chunks that the small payloads of one queue keep allocated. Otherwise one
/// waiting byte could hold a whole chunk.
///
/// A payload is not copied if it directly follows the previous payload in memory, or if the queue
/// was empty. Nor is it copied if payloads of half a chunk in total have arrived since the queue
/// last accepted a payload from another chunk. Any other payload is copied into the queue's own
/// chunks. All chunks of a queue therefore take at most three times the bytes of its payloads, plus
/// two chunks.
#[cfg(feature = "server")]
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    own: Arena,
    /// The end address of the last payload that was not copied.
    end: usize,
    /// Bytes that arrived since the queue last accepted another chunk, up to
    /// [`PRICE`](Self::PRICE).
    credit: usize,
}

#[cfg(feature = "server")]
impl Gathered {
    /// The credit that is used up when the queue accepts another chunk.
    const PRICE: usize = CHUNK / 2;

    /// Returns the payload, copied if necessary. `was_empty` is whether the queue was empty.
    pub(crate) fn take(&mut self, payload: Bytes, was_empty: bool) -> Bytes {
        if payload.len() > LARGEST {
            return payload;
        }
        self.credit = if was_empty {
            Self::PRICE
        } else {
            Self::PRICE.min(self.credit + payload.len())
        };
        let range = payload.as_ptr_range();
        if range.start.addr() != self.end {
            let Some(rest) = self.credit.checked_sub(Self::PRICE) else {
                return self.copy(&payload);
            };
            self.credit = rest;
        }
        self.end = range.end.addr();
        payload
    }

    fn copy(&mut self, payload: &[u8]) -> Bytes {
        let write = |buffer: &mut BytesMut| {
            buffer.extend_from_slice(payload);
            Ok::<_, Infallible>(())
        };
        let Ok(copied) = self.own.payload(payload.len(), write);
        copied
    }

    /// Releases the last chunk.
    pub(crate) fn shrink(&mut self) {
        self.own.shrink();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn filled(arena: &mut Arena, byte: u8, size: usize) -> Bytes {
        let write = |buffer: &mut BytesMut| {
            buffer.resize(size, byte);
            Ok::<_, Infallible>(())
        };
        let Ok(payload) = arena.payload(size, write);
        payload
    }

    #[test]
    fn payloads_keep_their_content_whatever_follows() {
        let mut arena = Arena::default();
        let payloads: Vec<_> = (0..=255u8)
            .map(|byte| filled(&mut arena, byte, usize::from(byte) * 8))
            .collect();
        for (byte, payload) in payloads.iter().enumerate() {
            assert_eq!(payload.len(), byte * 8);
            assert!(payload.iter().all(|&found| usize::from(found) == byte));
        }
    }

    #[test]
    fn small_payloads_lie_side_by_side() {
        let mut arena = Arena::default();
        let (first, second) = (filled(&mut arena, 1, 20), filled(&mut arena, 2, 20));
        assert_eq!(first.as_ptr_range().end, second.as_ptr());
    }

    #[test]
    fn a_large_payload_has_its_own_memory() {
        let mut arena = Arena::default();
        let write = |buffer: &mut BytesMut| {
            buffer.resize(1 << 20, 7);
            Ok::<_, Infallible>(())
        };
        let Ok(payload) = arena.payload(20, write);
        drop(payload);
        assert!(!arena.0.try_reclaim(CHUNK + 1));
    }

    #[test]
    fn bytes_written_before_an_error_are_dropped() {
        let mut arena = Arena::default();
        let failed = arena.payload(9, |buffer| {
            buffer.extend_from_slice(b"half");
            Err(())
        });
        assert_eq!(failed, Err(()));
        assert_eq!(filled(&mut arena, b'x', 2), "xx");
    }

    /// How many chunks the payloads keep, judged by their addresses.
    #[cfg(feature = "server")]
    fn chunks(payloads: &[Bytes]) -> usize {
        let mut starts: Vec<_> = payloads
            .iter()
            .map(|payload| payload.as_ptr().addr())
            .collect();
        starts.sort_unstable();
        let mut chunks: Vec<usize> = Vec::new();
        for start in starts {
            if chunks.last().is_none_or(|first| start - first >= CHUNK) {
                chunks.push(start);
            }
        }
        chunks.len()
    }

    #[cfg(feature = "server")]
    #[test]
    fn payloads_that_wait_do_not_keep_the_chunks_of_others() {
        let (mut shared, mut queue) = (Arena::default(), Gathered::default());
        let mut waiting = Vec::new();
        for byte in 0..=255 {
            // Between two payloads of this queue, others fill a chunk with payloads and drop them.
            let others: Vec<_> = (0..8).map(|_| filled(&mut shared, 0, 500)).collect();
            // Two adjacent payloads must not keep more chunks than one payload does.
            for _ in 0..2 {
                let payload = filled(&mut shared, byte, 10);
                waiting.push(queue.take(payload, waiting.is_empty()));
            }
            drop(others);
        }
        let most = 2 + 3 * waiting.len() * 10 / CHUNK;
        assert!(chunks(&waiting) <= most, "{}", chunks(&waiting));
        for (index, payload) in waiting.iter().enumerate() {
            assert_eq!(payload[..], [(index / 2) as u8; 10]);
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn payloads_in_a_row_are_not_copied() {
        let (mut shared, mut queue) = (Arena::default(), Gathered::default());
        let mut last = Bytes::new();
        for index in 0..9_000u32 {
            let payload = filled(&mut shared, 1, 16);
            let taken = queue.take(payload.clone(), index == 0);
            assert_eq!(taken.as_ptr(), payload.as_ptr());
            // One payload always remains, so that the chunk is not reused from its start.
            last = taken;
        }
        drop(last);
    }
}

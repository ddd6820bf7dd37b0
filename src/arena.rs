//! Memory that small payloads share.

use bytes::{Bytes, BytesMut};

/// Bytes of a chunk.
const CHUNK: usize = 16 << 10;

/// The largest payload that goes into a chunk: beyond it an allocation is cheap beside the rest,
/// and a payload that is kept should not keep much else alive.
const LARGEST: usize = 4 << 10;

/// Chunks in which small payloads are put one behind the other, so that not each of them costs an
/// allocation. A chunk is freed with the last payload in it.
#[derive(Debug, Default)]
pub(crate) struct Arena(BytesMut);

impl Arena {
    /// A payload of about `size` bytes, which `write` appends to the empty buffer that it gets. A
    /// wrong size costs time, nothing else.
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
        let payload = match self.0.len() > LARGEST {
            true => std::mem::take(&mut self.0),
            false => self.0.split(),
        };
        written.map(|()| payload.freeze())
    }

    /// Gives the last chunk back.
    pub(crate) fn shrink(&mut self) {
        self.0 = BytesMut::new();
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
            .map(|byte| filled(&mut arena, byte, usize::from(byte) * 30))
            .collect();
        for (byte, payload) in payloads.iter().enumerate() {
            assert_eq!(payload.len(), byte * 30);
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
    fn a_large_payload_takes_its_memory_along() {
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
    fn what_was_written_before_an_error_is_gone() {
        let mut arena = Arena::default();
        let failed = arena.payload(9, |buffer| {
            buffer.extend_from_slice(b"half");
            Err(())
        });
        assert_eq!(failed, Err(()));
        assert_eq!(filled(&mut arena, b'x', 2), "xx");
    }
}

//! Reuse of the memory of large payloads that have been written.

use bytes::{Bytes, BytesMut};

use crate::mutex::Mutex;

/// The maximum number of buffers that are kept for reuse.
const BUFFERS: usize = 4;

/// The minimum and the maximum size of a buffer that is kept, in bytes. A smaller one is cheap to
/// allocate.
pub(crate) const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 2 << 20;

/// Buffers of large payloads, for all connections of a server.
///
/// Without this reuse, the allocator returns blocks of this size to the operating system and
/// requests them again. The system then clears each page, which takes a tenth of a sender's time if
/// the payloads have 1 MiB.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<BytesMut>>);

impl Spare {
    /// Returns an empty buffer with room for `size` bytes, a kept one if possible. A kept buffer
    /// with more than twice as much room is not used, because a queue's bound counts the bytes of
    /// payloads, not the larger buffers that hold them.
    pub(crate) fn buffer(&self, size: usize) -> BytesMut {
        let fits = |buffer: &mut BytesMut| {
            // `try_reclaim` also reclaims bytes that were cut off before a payload.
            buffer.try_reclaim(size) && buffer.capacity() <= 2 * size
        };
        let kept = self.with(|buffers| {
            let found = buffers.iter_mut().position(fits)?;
            Some(buffers.swap_remove(found))
        });
        kept.unwrap_or_else(|| BytesMut::with_capacity(size))
    }

    /// Keeps a payload's memory if its size fits, nothing shares it, and there is room.
    pub(crate) fn keep(&self, payload: Bytes) {
        if payload.len() < SMALLEST {
            return;
        }
        let Ok(mut buffer) = payload.try_into_mut() else {
            return;
        };
        buffer.clear();
        if buffer.capacity() <= LARGEST {
            self.with(|buffers| {
                if buffers.len() < BUFFERS {
                    buffers.push(buffer);
                }
            });
        }
    }

    /// Frees all kept buffers.
    pub(crate) fn clear(&self) {
        self.with(std::mem::take);
    }

    fn with<R>(&self, f: impl FnOnce(&mut Vec<BytesMut>) -> R) -> R {
        f(&mut self.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(size: usize) -> Bytes {
        BytesMut::zeroed(size).freeze()
    }

    #[test]
    fn memory_is_reused_empty() {
        let spare = Spare::default();
        let written = payload(SMALLEST);
        let memory = written.as_ptr();
        spare.keep(written);
        let buffer = spare.buffer(SMALLEST);
        assert_eq!((buffer.as_ptr(), buffer.len()), (memory, 0));
        assert_ne!(spare.buffer(SMALLEST).as_ptr(), memory, "in use");
    }

    #[test]
    fn a_payload_with_an_offset_returns_its_whole_buffer() {
        let spare = Spare::default();
        let mut written = BytesMut::zeroed(SMALLEST + 9);
        bytes::Buf::advance(&mut written, 9);
        spare.keep(written.freeze());
        let size = SMALLEST + 9;
        assert_eq!(spare.buffer(size).capacity(), size);
        assert_eq!(spare.with(|buffers| buffers.len()), 0);
    }

    #[test]
    fn shared_memory_is_not_reused() {
        let spare = Spare::default();
        let held = payload(SMALLEST);
        spare.keep(held.clone());
        assert_ne!(spare.buffer(SMALLEST).as_ptr(), held.as_ptr());
        assert!(held.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn it_is_bounded_and_can_be_cleared() {
        let spare = Spare::default();
        for size in [SMALLEST - 1, LARGEST + 1] {
            spare.keep(payload(size));
            assert_eq!(spare.with(|buffers| buffers.len()), 0);
        }
        for _ in 0..2 * BUFFERS {
            spare.keep(payload(LARGEST));
        }
        assert_eq!(spare.with(|buffers| buffers.len()), BUFFERS);
        spare.clear();
        assert_eq!(spare.with(|buffers| buffers.capacity()), 0);
    }

    #[test]
    fn a_much_larger_buffer_is_not_wasted_on_a_payload() {
        let spare = Spare::default();
        spare.keep(payload(4 * SMALLEST));
        assert!(spare.buffer(SMALLEST).capacity() < 4 * SMALLEST);
        assert!(spare.buffer(4 * SMALLEST).capacity() >= 4 * SMALLEST);
    }
}

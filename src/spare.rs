//! Reuse of the memory of large payloads that were written.

use bytes::{Bytes, BytesMut};

use crate::mutex::Mutex;

/// The most buffers that are kept.
const BUFFERS: usize = 4;

/// The least and the most bytes of a buffer that is kept. A smaller one is cheap to allocate.
pub(crate) const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 2 << 20;

/// Buffers of large payloads, for all connections of a server.
///
/// Without them, the allocator returns blocks of this size to the system and requests them again,
/// which clears each page: a tenth of a sender's time at 1 MiB.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<BytesMut>>);

impl Spare {
    /// Returns an empty buffer with room for `size` bytes. It reuses a kept one, unless all are too
    /// small or so large that a queue's bound in bytes would mean little.
    pub(crate) fn buffer(&self, size: usize) -> BytesMut {
        let fits = |buffer: &mut BytesMut| {
            // Reclaims bytes that were cut off in front of a payload.
            buffer.try_reclaim(size) && buffer.capacity() <= 2 * size
        };
        let kept = self.with(|buffers| {
            let found = buffers.iter_mut().position(fits)?;
            Some(buffers.swap_remove(found))
        });
        kept.unwrap_or_else(|| BytesMut::with_capacity(size))
    }

    /// Keeps the memory of a payload, if it is not shared and there is room.
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
    fn memory_comes_back_empty() {
        let spare = Spare::default();
        let written = payload(SMALLEST);
        let memory = written.as_ptr();
        spare.keep(written);
        let buffer = spare.buffer(SMALLEST);
        assert_eq!((buffer.as_ptr(), buffer.len()), (memory, 0));
        assert_ne!(spare.buffer(SMALLEST).as_ptr(), memory, "in use");
    }

    #[test]
    fn a_payload_that_began_further_in_gives_all_of_it_back() {
        let spare = Spare::default();
        let mut written = BytesMut::zeroed(SMALLEST + 9);
        bytes::Buf::advance(&mut written, 9);
        spare.keep(written.freeze());
        let size = SMALLEST + 9;
        assert_eq!(spare.buffer(size).capacity(), size);
        assert_eq!(spare.with(|buffers| buffers.len()), 0);
    }

    #[test]
    fn what_somebody_else_holds_is_left_alone() {
        let spare = Spare::default();
        let held = payload(SMALLEST);
        spare.keep(held.clone());
        assert_ne!(spare.buffer(SMALLEST).as_ptr(), held.as_ptr());
        assert!(held.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn it_is_bounded_and_goes_when_it_is_to() {
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

//! The buffer that a connection reads into.

/// Capacity of a fresh buffer.
const SMALL: usize = 4 * 1024;

/// Capacity of the buffer of a connection that fell silent.
const IDLE: usize = 256;

/// What is read ahead, and reserved on the mere announcement of a frame.
const READ_AHEAD: usize = 64 * 1024;

/// What is kept between large messages.
const KEEP: usize = 2 << 20;

/// A read buffer whose memory follows what arrived, not what a remote announces.
///
/// It starts at 4 KiB and doubles up to 64 KiB while reads fill it. For a larger frame it doubles
/// further each time it is full, up to that frame's size: a remote that announces 16 MiB and
/// sends nothing costs 64 KiB. [`shrink`](Self::shrink) gives that memory back.
///
/// ```
/// # use peermux::rlpx::ReadBuffer;
/// let mut buffer = ReadBuffer::new();
/// // Stands for `stream.read_buf(buffer.prepare(0)).await`.
/// buffer.prepare(0).extend_from_slice(b"frames");
/// assert_eq!(buffer.filled(), b"frames");
/// buffer.consume(5);
/// assert_eq!(buffer.filled(), b"s");
/// ```
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    /// Bytes at the front that were consumed. They are overwritten when room is needed, so that a
    /// small frame does not move those behind it.
    start: usize,
    /// The last read filled the buffer: there is more than we have room for.
    was_full: bool,
}

impl ReadBuffer {
    /// An empty buffer with a capacity of 4 KiB.
    pub fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(SMALL),
            start: 0,
            was_full: false,
        }
    }

    /// A buffer that starts with these bytes, as those behind a handshake packet.
    pub fn with_unread(unread: &[u8]) -> Self {
        let mut buffer = Self::new();
        buffer.bytes.extend_from_slice(unread);
        buffer
    }

    /// The bytes that were read and not consumed.
    pub fn filled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// How many bytes were read and not consumed.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether every byte that was read is consumed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the buffer holds.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes `count` bytes from the front, or all of them if there are fewer.
    pub fn consume(&mut self, count: usize) {
        self.was_full |= self.is_full();
        self.start += count.min(self.len());
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// The capacity that [`prepare`](Self::prepare) would go to, so that a budget can be asked
    /// first. While the buffer moves, old and new memory exist side by side for a moment.
    pub fn next_capacity(&self, total: usize) -> usize {
        let capacity = self.capacity();
        let doubled = capacity.saturating_mul(2);
        if capacity < READ_AHEAD {
            let wanted = if self.was_full || self.is_full() {
                doubled.max(SMALL)
            } else {
                capacity
            };
            wanted.max(total).min(READ_AHEAD)
        } else if self.len() == capacity {
            // The whole buffer is one incomplete frame.
            doubled.min(total).max(capacity + 1)
        } else {
            capacity
        }
    }

    /// Makes room for a read and returns the buffer to append to, as with
    /// `AsyncReadExt::read_buf`; bytes that are in it must be left alone.
    ///
    /// `total` is what [`Opened::NeedMore`](super::Opened::NeedMore) said, or 0: how many bytes,
    /// counted from the first one that is not consumed, are needed. There is room for one byte
    /// at least, but not always for all of them at once: call this before each read.
    pub fn prepare(&mut self, total: usize) -> &mut Vec<u8> {
        let capacity = self.next_capacity(total);
        self.was_full = false;
        if capacity > self.capacity() {
            self.move_to(capacity);
        } else if self.is_full() || total > self.capacity() - self.start {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    /// Gives back what is above 64 KiB, if the buffer is empty. For use after each message where
    /// memory is short.
    pub fn shrink(&mut self) {
        self.shrink_to(READ_AHEAD);
    }

    /// Gives back all but 64 KiB of more than 2 MiB, if the buffer is empty. For use after each
    /// message: those of the same size that follow find their room.
    pub fn shrink_large(&mut self) {
        if self.capacity() > KEEP {
            self.shrink();
        }
    }

    /// Gives back all but 256 bytes, if the buffer is empty. For a connection that fell silent.
    pub fn shrink_idle(&mut self) {
        self.shrink_to(IDLE);
    }

    fn shrink_to(&mut self, capacity: usize) {
        if self.is_empty() && self.capacity() > capacity {
            self.move_to(capacity);
            self.was_full = false;
        }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() == self.bytes.capacity()
    }

    /// Goes on in new memory of exactly `capacity` bytes; growing a `Vec` may take more.
    fn move_to(&mut self, capacity: usize) {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(self.filled());
        self.bytes = bytes;
        self.start = 0;
    }
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads as much of `count` bytes as there is room for.
    fn read(buffer: &mut ReadBuffer, total: usize, count: usize) -> usize {
        let expected = buffer.next_capacity(total);
        let spare = buffer.prepare(total);
        let count = count.min(spare.capacity() - spare.len());
        spare.resize(spare.len() + count, 7);
        assert_eq!(buffer.capacity(), expected);
        count
    }

    #[test]
    fn an_announcement_costs_64_kib() {
        let mut buffer = ReadBuffer::new();
        assert_eq!(buffer.capacity(), SMALL);
        read(&mut buffer, 16 << 20, 32);
        assert_eq!(buffer.capacity(), READ_AHEAD);
        read(&mut buffer, 16 << 20, 32);
        assert_eq!(buffer.capacity(), READ_AHEAD);
    }

    #[test]
    fn a_large_frame_doubles_the_buffer_up_to_its_size() {
        let total = 1_000_000;
        let mut buffer = ReadBuffer::new();
        let mut capacities = vec![buffer.capacity()];
        while buffer.len() < total {
            read(&mut buffer, total, usize::MAX);
            capacities.push(buffer.capacity());
            assert!(buffer.capacity() <= READ_AHEAD.max(2 * buffer.len()));
        }
        capacities.dedup();
        assert_eq!(
            capacities,
            [SMALL, READ_AHEAD, 131_072, 262_144, 524_288, total]
        );
        buffer.shrink();
        assert_eq!(buffer.capacity(), total, "bytes are in it");
        buffer.consume(total);
        buffer.shrink();
        assert_eq!(buffer.capacity(), READ_AHEAD);
        buffer.shrink_idle();
        assert_eq!(buffer.capacity(), IDLE);
        read(&mut buffer, 0, usize::MAX);
        read(&mut buffer, 0, 1);
        assert_eq!(buffer.capacity(), SMALL);
    }

    #[test]
    fn full_reads_of_small_frames_double_it_to_64_kib() {
        let mut buffer = ReadBuffer::new();
        for _ in 0..10 {
            read(&mut buffer, 0, usize::MAX);
            buffer.consume(usize::MAX);
        }
        assert_eq!(buffer.capacity(), READ_AHEAD);
        let mut calm = ReadBuffer::new();
        for _ in 0..10 {
            read(&mut calm, 64, 100);
            calm.consume(100);
        }
        assert_eq!(calm.capacity(), SMALL);
    }

    proptest! {
        #[test]
        fn keeps_every_byte_in_order(
            steps in prop::collection::vec((0usize..9000, 0usize..9000, 0usize..200_000), 1..60)
        ) {
            let mut buffer = ReadBuffer::new();
            let (mut written, mut taken, mut most) = (0u64, 0u64, 0);
            for (write, take, total) in steps {
                let spare = buffer.prepare(total);
                prop_assert!(spare.capacity() > spare.len());
                for _ in 0..write.min(spare.capacity() - spare.len()) {
                    spare.push(written as u8);
                    written += 1;
                }
                most = most.max(buffer.len());
                for &byte in buffer.filled().iter().take(take) {
                    prop_assert_eq!(byte, taken as u8);
                    taken += 1;
                }
                buffer.consume(take);
                prop_assert_eq!(buffer.len() as u64, written - taken);
                prop_assert!(buffer.capacity() <= READ_AHEAD.max(2 * most));
            }
        }
    }
}

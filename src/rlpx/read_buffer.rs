//! The buffer that a connection reads into.

/// Capacity of a new buffer.
const SMALL: usize = 4 * 1024;

/// Capacity of the buffer of an idle connection.
const IDLE: usize = 256;

/// The maximum size of a read-ahead, or of the room reserved for an announced frame.
const READ_AHEAD: usize = 64 * 1024;

/// The maximum capacity kept between large messages, in bytes.
const KEEP: usize = 2 << 20;

/// A read buffer that grows with the bytes received, not with the sizes announced.
///
/// The buffer starts at 4 KiB and doubles up to 64 KiB while reads fill it. For a larger frame it
/// doubles further each time it is full, up to the size of that frame. A remote that announces 16
/// MiB and sends nothing therefore costs 64 KiB. [`shrink`](Self::shrink) frees the memory above 64
/// KiB.
///
/// ```
/// # use peermux::rlpx::ReadBuffer;
/// let mut buffer = ReadBuffer::new();
/// // In place of `stream.read_buf(buffer.prepare(0)).await`.
/// buffer.prepare(0).extend_from_slice(b"frames");
/// assert_eq!(buffer.filled(), b"frames");
/// buffer.consume(5);
/// assert_eq!(buffer.filled(), b"s");
/// ```
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    /// Consumed bytes at the front.
    ///
    /// They stay until room is needed, so that consuming a small frame moves nothing.
    start: usize,
    /// Whether the last read filled the buffer, so that more bytes are probably waiting.
    was_full: bool,
}

impl ReadBuffer {
    /// Returns an empty buffer with a capacity of 4 KiB.
    pub fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(SMALL),
            start: 0,
            was_full: false,
        }
    }

    /// Returns a buffer that starts with `unread`, e.g. the bytes after a handshake packet.
    pub fn with_unread(unread: &[u8]) -> Self {
        let mut buffer = Self::new();
        buffer.bytes.extend_from_slice(unread);
        buffer
    }

    /// Returns the unconsumed bytes.
    pub fn filled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Returns the number of unconsumed bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns whether every byte has been consumed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes of memory the buffer holds.
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

    /// Returns the capacity after [`prepare`](Self::prepare), so that the caller can check a
    /// budget.
    ///
    /// While the buffer moves, the old and the new memory both exist for a moment.
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

    /// Makes room for a read, and returns the buffer to append to.
    ///
    /// Append with `AsyncReadExt::read_buf` or similar, and do not change the existing bytes.
    /// `total` is the number from [`Opened::NeedMore`](super::Opened::NeedMore), which counts the
    /// bytes needed from the first unconsumed one on; pass 0 if there is no such number. The buffer
    /// then has room for at least one more byte, but not always for all bytes that are needed, so
    /// call this before each read.
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

    /// Frees all memory above 64 KiB, if the buffer is empty.
    ///
    /// Call it after each message when memory is short.
    pub fn shrink(&mut self) {
        self.shrink_to(READ_AHEAD);
    }

    /// Shrinks an empty buffer of more than 2 MiB to 64 KiB.
    ///
    /// Call it after each message. Up to 2 MiB are kept for later messages of the same size.
    pub fn shrink_large(&mut self) {
        if self.capacity() > KEEP {
            self.shrink();
        }
    }

    /// Frees all memory above 256 bytes, if the buffer is empty.
    ///
    /// Call it when the connection falls silent.
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

    /// Moves the content to new memory of exactly `capacity` bytes.
    ///
    /// A `Vec` that grows by itself may take more.
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

    /// Reads up to `count` bytes, as many as there is room for.
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
        assert_eq!(buffer.capacity(), total, "the buffer is not empty");
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

//! Sealing and opening in memory on one thread, with frames packed into 64 KiB buffers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::frame::{Direction, HEADER};

/// How many bytes of frames are packed into one buffer, unless a frame is larger.
pub(crate) const BUFFER: usize = 64 << 10;

/// Returns how many frames with this much data are packed into one buffer.
pub(crate) fn frames_in_buffer(size: usize) -> usize {
    (BUFFER / Direction::wire_size(size + 1)).max(1)
}

/// Seals `count` messages.
pub(crate) fn seal(size: usize, count: usize) -> Duration {
    let data = vec![0x5a; size];
    let mut direction = Direction::new();
    let frame = Direction::wire_size(size + 1);
    let mut buffer = vec![0; frames_in_buffer(size) * frame];
    let started = Instant::now();
    let mut left = count;
    while left > 0 {
        for frame in buffer.chunks_exact_mut(frame).take(left) {
            direction.seal(&data, frame);
            left -= 1;
        }
        black_box(&mut buffer);
    }
    started.elapsed()
}

/// Opens `count` messages. Only this is timed, not their sealing.
pub(crate) fn open(size: usize, count: usize) -> Duration {
    let data = vec![0x5a; size];
    let (mut sealing, mut opening) = (Direction::new(), Direction::new());
    let frame = Direction::wire_size(size + 1);
    let mut buffer = vec![0; frames_in_buffer(size) * frame];
    let mut elapsed = Duration::ZERO;
    let mut left = count;
    while left > 0 {
        let frames = left.min(buffer.len() / frame);
        for frame in buffer.chunks_exact_mut(frame).take(frames) {
            sealing.seal(&data, frame);
        }
        let started = Instant::now();
        for frame in buffer.chunks_exact_mut(frame).take(frames) {
            let (header, body) = frame.split_at_mut(HEADER);
            opening.open_header(header);
            opening.open_body(body);
        }
        elapsed += started.elapsed();
        left -= frames;
    }
    elapsed
}

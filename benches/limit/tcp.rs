//! The loops that seal and open frames, with loopback TCP between them.
//!
//! The sockets are blocking, and each loop has its own thread.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::frame::{Direction, HEADER};
use super::loops::{BUFFER, frames_in_buffer};

/// Returns the time from sealing the first message to opening the last one.
pub(crate) fn one_way(size: usize, count: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (reader, _) = listener.accept().unwrap();
    writer.set_nodelay(true).unwrap();
    let receiver = thread::spawn(move || receive(reader, count));
    let started = Instant::now();
    send(&mut writer, size, count);
    receiver.join().unwrap();
    started.elapsed()
}

fn send(writer: &mut TcpStream, size: usize, count: usize) {
    let data = vec![0x5a; size];
    let mut direction = Direction::new();
    let frame = Direction::wire_size(size + 1);
    let mut buffer = vec![0; frames_in_buffer(size) * frame];
    let mut left = count;
    while left > 0 {
        let frames = left.min(buffer.len() / frame);
        for frame in buffer.chunks_exact_mut(frame).take(frames) {
            direction.seal(&data, frame);
        }
        writer.write_all(&buffer[..frames * frame]).unwrap();
        left -= frames;
    }
}

fn receive(mut reader: TcpStream, count: usize) {
    let mut direction = Direction::new();
    let mut buffer = vec![0; BUFFER];
    // The bytes in `start..end` have been read but not opened. `awaited` is the length of the next
    // body, once its header has been opened.
    let (mut start, mut end, mut awaited) = (0, 0, None);
    let mut opened = 0;
    while opened < count {
        let needed = awaited.unwrap_or(HEADER);
        if end - start < needed {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            if buffer.len() < needed {
                buffer.resize(needed, 0);
            }
            end += reader.read(&mut buffer[end..]).unwrap();
            continue;
        }
        let unit = &mut buffer[start..start + needed];
        if awaited.take().is_some() {
            direction.open_body(unit);
            opened += 1;
        } else {
            let size = direction.open_header(unit);
            awaited = Some(Direction::wire_size(size) - HEADER);
        }
        start += needed;
    }
}

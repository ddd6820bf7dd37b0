//! The receiving side, like the read loop of a connection.

use peermux::rlpx::{Frame, FrameError, Ingress, Opened, ReadBuffer};

use super::script::Played;
use super::sent::{Content, Expect, Sent, expect_none};
use crate::message::{check_error, check_frame};

/// How many bytes may be reserved before they arrive.
const READ_AHEAD: usize = 64 * 1024;

/// The largest body that may be read one byte at a time.
const STEPS: usize = 2048;

pub(super) struct Reader {
    ingress: Ingress,
    buffer: ReadBuffer,
    sent: Vec<Sent>,
    /// All bytes to arrive, how many have arrived, and where the next frame should start.
    stream: Vec<u8>,
    arrived: usize,
    start: usize,
    /// The sizes of reads, used in turn.
    reads: [usize; 4],
    turn: usize,
}

/// The result for one frame.
enum Outcome {
    Opened,
    Refused(FrameError),
    /// No more bytes arrive, so the frame is not complete.
    Starved,
}

impl Reader {
    pub(super) fn new(played: Played, reads: [u8; 4]) -> Self {
        let Played {
            ingress,
            sent,
            stream,
        } = played;
        let shortest = (stream.len() / STEPS).max(1);
        Self {
            ingress,
            buffer: ReadBuffer::new(),
            sent,
            stream,
            arrived: 0,
            start: 0,
            reads: reads.map(|read| (usize::from(read).pow(2)).max(shortest)),
            turn: 0,
        }
    }

    /// Receives the stream, up to the first refused frame.
    pub(super) fn run(mut self) {
        for sent in std::mem::take(&mut self.sent) {
            self.ingress.set_snappy(sent.snappy);
            self.ingress.set_max_frame_size(sent.max_frame_size);
            let expect = sent.expect(&self.stream[self.start..]);
            if !self.receive_as(&expect, sent.snappy) {
                return;
            }
        }
        let rest = expect_none(&self.stream[self.start..]);
        self.receive_as(&rest, false);
    }

    /// Receives one frame. The result must be the predicted one. Returns whether to continue.
    fn receive_as(&mut self, expect: &Expect<'_>, compressed: bool) -> bool {
        let outcome = self.receive(|frame| match expect {
            Expect::Opened(content) => check(frame, content, compressed),
            _ => panic!("a frame was opened that must not be"),
        });
        match (expect, outcome) {
            (Expect::Opened(_), Outcome::Opened) => return true,
            (Expect::Refused(expected), Outcome::Refused(error)) => {
                assert_eq!(error, *expected);
                self.assert_failed();
            }
            (Expect::BadId, Outcome::Refused(FrameError::MessageId(_))) => self.assert_failed(),
            (Expect::Starved, Outcome::Starved) => self.assert_starved(),
            (_, Outcome::Opened) => panic!("a frame was opened that must not be"),
            (_, Outcome::Refused(error)) => panic!("refused: {error}"),
            (_, Outcome::Starved) => panic!("the frame needs more bytes than it has"),
        }
        false
    }

    /// Receives one frame.
    fn receive(&mut self, check: impl FnOnce(&Frame<'_>)) -> Outcome {
        let length = loop {
            let total = match self.ingress.open(self.buffer.filled()) {
                Ok(Opened::Frame { frame, consumed }) => {
                    check(&frame);
                    break consumed;
                }
                Ok(Opened::NeedMore { total }) => total,
                Err(error) => {
                    check_error(&error);
                    return Outcome::Refused(error);
                }
            };
            assert!(total > self.buffer.len());
            if !self.read(total) {
                return Outcome::Starved;
            }
        };
        assert!(length <= self.buffer.len());
        self.start += length;
        self.buffer.consume(length);
        self.buffer.shrink();
        Outcome::Opened
    }

    /// Reads once. Returns whether there was anything to read.
    fn read(&mut self, total: usize) -> bool {
        let before = self.buffer.capacity();
        let (length, next) = (self.buffer.len(), self.buffer.next_capacity(total));
        let spare = self.buffer.prepare(total);
        let room = spare.capacity() - spare.len();
        assert!(room > 0);
        self.turn = (self.turn + 1) % self.reads.len();
        let rest = &self.stream[self.arrived..];
        let count = self.reads[self.turn].min(room).min(rest.len());
        spare.extend_from_slice(&rest[..count]);
        self.arrived += count;

        let capacity = self.buffer.capacity();
        assert_eq!(capacity, next);
        assert_eq!(self.buffer.len(), length + count);
        // The memory for a frame grows with the bytes of it that have arrived, and never exceeds
        // the frame.
        assert!(capacity <= before.max(READ_AHEAD).max(2 * length));
        assert!(capacity <= before.max(READ_AHEAD).max(total));
        count > 0
    }

    /// Checks that no byte was lost while waiting and no memory is wasted.
    fn assert_starved(&mut self) {
        assert_eq!(self.arrived, self.stream.len());
        assert_eq!(self.buffer.len(), self.stream.len() - self.start);
        self.buffer.shrink();
        if self.buffer.is_empty() {
            assert!(self.buffer.capacity() <= READ_AHEAD);
        }
    }

    /// Checks that nothing works after an error.
    fn assert_failed(&mut self) {
        let failed = Some(FrameError::AlreadyFailed);
        assert_eq!(self.ingress.open(&mut []).err(), failed);
        assert_eq!(self.ingress.open(self.buffer.filled()).err(), failed);
        assert_eq!(self.ingress.open(&mut [0; 64]).err(), failed);
    }
}

/// Checks an opened frame.
fn check(frame: &Frame<'_>, content: &Content, compressed: bool) {
    assert_eq!(frame.is_compressed(), compressed);
    match content {
        Content::Message { id, payload } => {
            assert_eq!(frame.id(), *id);
            assert_eq!(frame.payload_len(), Ok(payload.len()));
            assert!(
                frame
                    .payload(payload.len())
                    .is_ok_and(|got| got == *payload)
            );
            if let Some(less) = payload.len().checked_sub(1) {
                assert!(frame.payload(less).is_err());
            }
            if !compressed {
                assert!(frame.data() == payload);
            }
        }
        Content::Frame { plaintext } => check_frame(frame, plaintext, READ_AHEAD),
        Content::NoId => panic!("a frame without an id was opened"),
    }
}

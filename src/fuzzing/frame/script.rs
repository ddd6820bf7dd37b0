//! What is sent.

use std::sync::LazyLock;

use bytes::BytesMut;

use crate::fuzzing::input::Input;
use crate::fuzzing::message::{header, read_id};
use crate::rlpx::fuzzing::direction;
use crate::rlpx::{
    Egress, FrameError, Ingress, MAX_PAYLOAD, MessageIdError, SealError, message_id,
};

/// Scripts that send more are cut off: they are slow and show nothing new.
const MAX_WIRE: usize = 192 * 1024;

/// One byte more than can be sent.
static TOO_MUCH: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; MAX_PAYLOAD + 1]);

/// Some bytes on the wire and what the receiver makes of them.
pub(super) struct Sent {
    pub(super) wire: Vec<u8>,
    /// How the receiver is set before it reads them.
    pub(super) snappy: bool,
    pub(super) max_frame_size: usize,
    pub(super) expect: Expect,
}

#[derive(Clone)]
pub(super) enum Expect {
    /// A message from [`Egress::seal`].
    Message { id: u64, payload: Vec<u8> },
    /// A frame with this id and data, whatever they are.
    Frame { plaintext: Vec<u8> },
    /// A certain error.
    Refused(FrameError),
    /// Any error, or a wait for bytes that never come.
    Never,
}

/// The sender and what the receiver knows of its doings.
struct Script<'a> {
    input: Input<'a>,
    egress: Egress,
    snappy: bool,
    max_frame_size: usize,
    sent: Vec<Sent>,
}

/// Plays a script: operations of one byte, with arguments behind it. Bits 0 to 2 are the
/// operation, bits 3 to 7 what happens to the frame on its way.
pub(super) fn run(input: Input<'_>) -> (Vec<Sent>, Ingress) {
    let (egress, ingress) = direction();
    let mut script = Script {
        input,
        egress,
        snappy: false,
        max_frame_size: 2049,
        sent: Vec::new(),
    };
    let mut length = 0;
    while !script.input.is_empty() && length < MAX_WIRE {
        let operation = script.input.byte();
        if let Some((wire, expect)) = script.operation(operation & 7) {
            let (wire, expect) = script.damage(operation >> 3, wire, expect);
            length += wire.len();
            script.sent.push(Sent {
                wire,
                snappy: script.snappy,
                max_frame_size: script.max_frame_size,
                expect,
            });
        }
    }
    (script.sent, ingress)
}

impl Script<'_> {
    fn operation(&mut self, operation: u8) -> Option<(Vec<u8>, Expect)> {
        match operation {
            0 => {
                let (id, payload) = (self.id(), self.input.sized().to_vec());
                Some(self.message(id, payload))
            }
            1 => {
                let (id, payload) = (self.id(), self.filling());
                Some(self.message(id, payload))
            }
            2 => {
                let (id, data) = (self.id(), self.input.sized());
                Some(self.uncompressed(id, data))
            }
            3 => Some(self.parts()),
            4 => {
                self.snappy = !self.snappy;
                self.egress.set_snappy(self.snappy);
                None
            }
            5 => {
                self.max_frame_size = match self.input.u16() {
                    0xffff => usize::MAX,
                    size => size * 4,
                };
                None
            }
            _ => {
                self.too_much();
                None
            }
        }
    }

    /// Ids of all lengths.
    fn id(&mut self) -> u64 {
        match self.input.byte() {
            id @ 0..0x80 => id.into(),
            shift => self.input.u64() >> (shift & 0x3f),
        }
    }

    /// Up to 126 KiB, mostly much less, of one byte or of bytes that do not compress.
    fn filling(&mut self) -> Vec<u8> {
        let length = usize::from(self.input.byte()).pow(3) / 128;
        let seed = self.input.byte();
        if seed & 1 == 0 {
            return vec![seed; length];
        }
        let mut state = u32::from(seed);
        let mut next = || {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn message(&mut self, id: u64, payload: Vec<u8>) -> (Vec<u8>, Expect) {
        let mut out = BytesMut::from(&b"before"[..]);
        let length = self.egress.seal(id, &payload, &mut out).unwrap();
        if !self.snappy {
            assert_eq!(length, payload.len());
        }
        let wire = out.strip_prefix(b"before").expect("what was there before");
        let frame_size = frame_size(id, length);
        assert_eq!(wire.len(), wire_size(frame_size));
        (
            wire.to_vec(),
            self.limited(frame_size, Expect::Message { id, payload }),
        )
    }

    /// Data that the receiver takes for compressed if compression is on.
    fn uncompressed(&mut self, id: u64, data: &[u8]) -> (Vec<u8>, Expect) {
        let mut wire = BytesMut::new();
        let length = self.egress.seal_uncompressed(id, data, &mut wire);
        assert_eq!(length, Ok(data.len()));
        let frame_size = frame_size(id, data.len());
        assert_eq!(wire.len(), wire_size(frame_size));
        let mut buffer = [0; message_id::MAX_LENGTH];
        let plaintext = [message_id::encode(id, &mut buffer), data].concat();
        let expect = self.limited(frame_size, Expect::Frame { plaintext });
        (wire.to_vec(), expect)
    }

    /// A frame whose header says anything and whose body is anything.
    fn parts(&mut self) -> (Vec<u8>, Expect) {
        let flags = self.input.byte();
        let mut head: [u8; 16] = self.input.array();
        let mut body = self.input.sized().to_vec();
        if flags & 1 == 0 {
            head[..3].copy_from_slice(&header(body.len())[..3]);
        }
        // Padding of any content, and at times more of it than there should be.
        let padded = body.len().next_multiple_of(16) + 16 * usize::from(flags >> 6);
        body.resize(padded, flags);
        let mut wire = BytesMut::new();
        self.egress.seal_parts(head, &body, &mut wire);

        let announced =
            usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let expect = match announced {
            0 => Expect::Refused(MessageIdError::Missing.into()),
            _ if announced.next_multiple_of(16) == body.len() => {
                let plaintext = body[..announced].to_vec();
                match read_id(&plaintext) {
                    Some(_) => Expect::Frame { plaintext },
                    // Any error of the id; the target `message` looks closer.
                    None => Expect::Never,
                }
            }
            _ if announced < body.len() => Expect::Refused(FrameError::BodyMac),
            _ => Expect::Never,
        };
        (wire.to_vec(), self.limited(announced, expect))
    }

    /// What is expected of a frame, unless it is too large.
    fn limited(&self, frame_size: usize, expect: Expect) -> Expect {
        let max = self.max_frame_size.min(crate::rlpx::MAX_FRAME_SIZE);
        if frame_size > max {
            Expect::Refused(FrameError::FrameTooLarge {
                got: frame_size,
                max,
            })
        } else {
            expect
        }
    }

    /// A message that must be refused without a trace.
    fn too_much(&mut self) {
        let mut out = BytesMut::from(&b"before"[..]);
        let error = self.egress.seal(1, &TOO_MUCH, &mut out).unwrap_err();
        assert!(matches!(error, SealError::PayloadTooLarge { .. }));
        assert_eq!(out, b"before"[..]);
    }

    /// Changes a frame on its way; every change must be noticed.
    fn damage(&mut self, damage: u8, mut wire: Vec<u8>, expect: Expect) -> (Vec<u8>, Expect) {
        match damage {
            24 | 25 => {
                let position = (self.input.u16() | self.input.u16() << 16) % wire.len();
                wire[position] ^= self.input.byte().max(1);
                if position < 32 {
                    return (wire, Expect::Refused(FrameError::HeaderMac));
                }
                let expect = match expect {
                    // What the header alone says was said before.
                    Expect::Refused(FrameError::BodyMac) | Expect::Never => Expect::Never,
                    Expect::Refused(_) => expect,
                    _ => Expect::Refused(FrameError::BodyMac),
                };
                (wire, expect)
            }
            26 => {
                // A frame cut short. What follows moves up and takes the place of what is missing.
                let length = self.input.u16() % wire.len();
                wire.truncate(length);
                (wire, Expect::Never)
            }
            27 => {
                let junk = self.input.sized();
                if junk.is_empty() {
                    return (wire, expect);
                }
                wire.splice(0..0, junk.iter().copied());
                (wire, Expect::Never)
            }
            28 => {
                // Sent twice: once as it should be, and once too often.
                self.sent.push(Sent {
                    wire: wire.clone(),
                    snappy: self.snappy,
                    max_frame_size: self.max_frame_size,
                    expect,
                });
                (wire, Expect::Refused(FrameError::HeaderMac))
            }
            29 if !self.sent.is_empty() => {
                // Overtaken: the frame before comes after this one.
                let last = self.sent.last_mut().expect("not empty");
                std::mem::swap(&mut last.wire, &mut wire);
                last.expect = Expect::Refused(FrameError::HeaderMac);
                (wire, Expect::Never)
            }
            _ => (wire, expect),
        }
    }
}

/// Bytes of id and data.
fn frame_size(id: u64, data: usize) -> usize {
    crate::rlp::encode(&id).len() + data
}

/// Bytes of a whole frame.
fn wire_size(frame_size: usize) -> usize {
    32 + frame_size.next_multiple_of(16) + 16
}

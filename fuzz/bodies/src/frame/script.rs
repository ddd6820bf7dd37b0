//! The sender's actions.

use std::sync::LazyLock;

use bytes::BytesMut;
use peermux::rlp::encode;
use peermux::rlpx::fuzzing::{direction, seal_parts};
use peermux::rlpx::{Egress, Ingress, MAX_PAYLOAD, SealError, message_id};

use super::sent::{Content, Sent, wire_size};
use crate::input::Input;
use crate::message::{header, read_id};

/// The maximum number of bytes on the wire. Longer scripts are cut off, because they are slow and
/// show nothing new.
const MAX_WIRE: usize = 192 * 1024;

/// One byte more than the largest payload.
static TOO_MUCH: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; MAX_PAYLOAD + 1]);

/// The result of a script.
pub(super) struct Played {
    pub(super) ingress: Ingress,
    pub(super) sent: Vec<Sent>,
    /// The bytes that arrive. They are the frames, as far as these were not damaged.
    pub(super) stream: Vec<u8>,
}

/// The sender, with the results of its actions so far.
struct Script<'a> {
    input: Input<'a>,
    egress: Egress,
    snappy: bool,
    max_frame_size: usize,
    sent: Vec<Sent>,
    /// The bytes that arrive, by frame.
    arriving: Vec<Vec<u8>>,
}

/// Runs a script of one-byte operations with their arguments. Bits 0 to 2 are the operation, and
/// bits 3 to 7 are the damage to the frame in transit.
pub(super) fn run(input: Input<'_>) -> Played {
    let (egress, ingress) = direction();
    let mut script = Script {
        input,
        egress,
        snappy: false,
        max_frame_size: 2049,
        sent: Vec::new(),
        arriving: Vec::new(),
    };
    let mut length = 0;
    while !script.input.is_empty() && length < MAX_WIRE {
        let operation = script.input.byte();
        if let Some(sent) = script.operation(operation & 7) {
            length += sent.wire.len();
            script.forward(operation >> 3, sent.wire.clone());
            script.sent.push(sent);
        }
    }
    Played {
        ingress,
        sent: script.sent,
        stream: script.arriving.concat(),
    }
}

impl Script<'_> {
    fn operation(&mut self, operation: u8) -> Option<Sent> {
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

    /// Returns ids of all lengths.
    fn id(&mut self) -> u64 {
        match self.input.byte() {
            id @ 0..0x80 => id.into(),
            shift => self.input.u64() >> (shift & 0x3f),
        }
    }

    /// Returns up to 126 KiB, mostly much less, of one byte or of incompressible bytes.
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

    fn message(&mut self, id: u64, payload: Vec<u8>) -> Sent {
        let mut out = BytesMut::from(&b"before"[..]);
        let length = self.egress.seal(id, &payload, &mut out).unwrap();
        if !self.snappy {
            assert_eq!(length, payload.len());
        }
        let wire = out.strip_prefix(b"before").expect("what was there before");
        let announced = frame_size(id, length);
        assert_eq!(wire.len(), wire_size(announced));
        self.sent(wire, announced, Content::Message { id, payload })
    }

    /// Sends data that the receiver treats as compressed if compression is on.
    fn uncompressed(&mut self, id: u64, data: &[u8]) -> Sent {
        let mut wire = BytesMut::new();
        let length = self.egress.seal_uncompressed(id, data, &mut wire);
        assert_eq!(length, Ok(data.len()));
        let announced = frame_size(id, data.len());
        assert_eq!(wire.len(), wire_size(announced));
        let mut buffer = [0; message_id::MAX_LENGTH];
        let plaintext = [message_id::encode(id, &mut buffer), data].concat();
        self.sent(&wire, announced, Content::Frame { plaintext })
    }

    /// Sends a frame with any header and any body.
    fn parts(&mut self) -> Sent {
        let flags = self.input.byte();
        let mut head: [u8; 16] = self.input.array();
        let mut body = self.input.sized().to_vec();
        if flags & 1 == 0 {
            head[..3].copy_from_slice(&header(body.len())[..3]);
        }
        // The padding has any content, and is sometimes too long.
        let padded = body.len().next_multiple_of(16) + 16 * usize::from(flags >> 6);
        body.resize(padded, flags);
        let mut wire = BytesMut::new();
        seal_parts(&mut self.egress, head, &body, &mut wire);

        let announced =
            usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        body.truncate(announced);
        let content = match read_id(&body) {
            Some(_) => Content::Frame { plaintext: body },
            None => Content::NoId,
        };
        self.sent(&wire, announced, content)
    }

    fn sent(&self, wire: &[u8], announced: usize, content: Content) -> Sent {
        Sent {
            wire: wire.to_vec(),
            snappy: self.snappy,
            max_frame_size: self.max_frame_size,
            announced,
            content,
        }
    }

    /// Tries to seal a message. This must be refused without side effects.
    fn too_much(&mut self) {
        let mut out = BytesMut::from(&b"before"[..]);
        let error = self.egress.seal(1, &TOO_MUCH, &mut out).unwrap_err();
        assert!(matches!(error, SealError::PayloadTooLarge { .. }));
        assert_eq!(out, b"before"[..]);
    }

    /// Delivers a frame, with `damage`.
    fn forward(&mut self, damage: u8, mut wire: Vec<u8>) {
        match damage {
            24 | 25 => {
                let position = (self.input.u16() | self.input.u16() << 16) % wire.len();
                wire[position] ^= self.input.byte().max(1);
            }
            // The frame is cut short: the next bytes that arrive replace the missing ones.
            26 => wire.truncate(self.input.u16() % wire.len()),
            // Other bytes arrive before the frame.
            27 => self.arriving.push(self.input.sized().to_vec()),
            // The frame arrives twice.
            28 => self.arriving.push(wire.clone()),
            // The frame arrives before the previous one.
            29 => {
                if let Some(last) = self.arriving.last_mut() {
                    std::mem::swap(last, &mut wire);
                }
            }
            _ => {}
        }
        self.arriving.push(wire);
    }
}

/// Returns the length of id and data in bytes.
fn frame_size(id: u64, data: usize) -> usize {
    encode(&id).len() + data
}

//! The receiving direction.

use std::fmt;
use std::mem;

use bytes::Bytes;
use ctr::cipher::StreamCipher;

use super::{BLOCK, Cipher, HEADER, MAX_FIRST_FRAME, MAX_FRAME_SIZE, cipher, padded};
use crate::rlpx::error::{FrameError, MessageIdError};
use crate::rlpx::mac::{self, FrameMac};
use crate::rlpx::{message_id, snappy};

/// Opens received frames, in the order in which they came.
pub struct Ingress {
    cipher: Cipher,
    pub(super) mac: FrameMac,
    snappy: bool,
    max_frame_size: usize,
    state: State,
}

/// Where in the stream of frames we are.
///
/// ```text
///            header verified
///   Header ──────────────────▶ Body ──┐
///     ▲ └──────▶ Failed ◀──────┘      │
///     └───────────────────────────────┘
///              body verified
/// ```
#[derive(Clone, Copy)]
enum State {
    /// The next bytes are a header.
    Header,
    /// The header was verified and decrypted; its bytes are still in the caller's buffer.
    Body { frame_size: usize },
    /// A frame was refused; there is no way back into step.
    Failed,
}

/// What [`Ingress::open`] found.
#[derive(Debug)]
pub enum Opened<'b> {
    /// The frame is not complete.
    NeedMore {
        /// Bytes that the input must hold, from the frame's start, before another call helps.
        total: usize,
    },
    /// One frame, verified and decrypted.
    Frame {
        /// The frame; it borrows the input.
        frame: Frame<'b>,
        /// Bytes of the input that it takes. The next frame starts behind them.
        consumed: usize,
    },
}

impl Ingress {
    pub(in crate::rlpx) fn new(aes_secret: &[u8; 32], mac: FrameMac) -> Self {
        Self {
            cipher: cipher(aes_secret),
            mac,
            snappy: false,
            max_frame_size: MAX_FIRST_FRAME,
            state: State::Header,
        }
    }

    /// Says whether the frames that follow are compressed. They are not at first, and are after
    /// both Hellos said version 5 ([EIP-706]).
    ///
    /// [EIP-706]: https://eips.ethereum.org/EIPS/eip-706
    pub fn set_snappy(&mut self, on: bool) {
        self.snappy = on;
    }

    /// Sets how many bytes of id and data a frame may announce. It starts with 2049, which a
    /// Hello never exceeds; raise it, at most to [`MAX_FRAME_SIZE`], once
    /// the Hello was read. A larger value means no limit but the format's.
    pub fn set_max_frame_size(&mut self, bytes: usize) {
        self.max_frame_size = bytes.min(MAX_FRAME_SIZE);
    }

    /// Opens the frame at the start of `input`, in place.
    ///
    /// As soon as the header is there, it is verified and decrypted, once; until the whole frame
    /// is there, call again with the same bytes in front and more behind. Each MAC is compared
    /// in constant time and before anything that it covers is decrypted.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is lost then, and every later call fails too.
    pub fn open<'b>(&mut self, input: &'b mut [u8]) -> Result<Opened<'b>, FrameError> {
        // Whatever returns early below without setting another state leaves this one behind.
        let frame_size = match mem::replace(&mut self.state, State::Failed) {
            State::Failed => return Err(FrameError::AlreadyFailed),
            State::Body { frame_size } => frame_size,
            State::Header => match input.first_chunk() {
                Some(header) => self.open_header(header)?,
                None => {
                    self.state = State::Header;
                    return Ok(Opened::NeedMore { total: HEADER });
                }
            },
        };
        let mac_start = HEADER + padded(frame_size);
        let total = mac_start + mac::LENGTH;
        if input.len() < total {
            self.state = State::Body { frame_size };
            return Ok(Opened::NeedMore { total });
        }
        let (body, body_mac) = input[HEADER..total].split_at_mut(mac_start - HEADER);
        self.mac.body(body);
        if !self.mac.finish().verify(body_mac) {
            return Err(FrameError::BodyMac);
        }
        self.cipher.apply_keystream(body);
        let frame = Frame::parse(&body[..frame_size], self.snappy)?;
        self.state = State::Header;
        Ok(Opened::Frame {
            frame,
            consumed: total,
        })
    }

    /// Verifies and decrypts a header; returns the bytes of id and data that it announces.
    fn open_header(&mut self, header: &[u8; HEADER]) -> Result<usize, FrameError> {
        let (ciphertext, received_mac) = header.split_at(BLOCK);
        let mut block = [0; BLOCK];
        block.copy_from_slice(ciphertext);
        if !self.mac.header(&block).verify(received_mac) {
            return Err(FrameError::HeaderMac);
        }
        self.cipher.apply_keystream(&mut block);
        let frame_size = block[..3]
            .iter()
            .fold(0, |size, &byte| (size << 8) | usize::from(byte));
        if frame_size == 0 {
            return Err(FrameError::MessageId(MessageIdError::Missing));
        }
        if frame_size > self.max_frame_size {
            return Err(FrameError::FrameTooLarge {
                got: frame_size,
                max: self.max_frame_size,
            });
        }
        Ok(frame_size)
    }
}

impl fmt::Debug for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingress")
            .field("snappy", &self.snappy)
            .field("max_frame_size", &self.max_frame_size)
            .finish_non_exhaustive()
    }
}

/// One message, as it came out of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'b> {
    id: u64,
    data: &'b [u8],
    compressed: bool,
}

impl<'b> Frame<'b> {
    fn parse(bytes: &'b [u8], compressed: bool) -> Result<Self, FrameError> {
        let (id, length) = message_id::decode(bytes)?;
        Ok(Self {
            id,
            data: &bytes[length..],
            compressed,
        })
    }

    /// The message id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What follows the id, as it came over the wire: compressed if
    /// [`is_compressed`](Self::is_compressed) says so.
    pub fn data(&self) -> &'b [u8] {
        self.data
    }

    /// Whether compression was on when the frame was opened.
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Bytes of the payload, uncompressed; of compressed data this is what it declares. Nothing
    /// is allocated, so limits can be checked first.
    ///
    /// # Errors
    /// [`FrameError::Snappy`] if a compressed payload declares no readable length,
    /// [`FrameError::PayloadTooLarge`] if it declares 2^24 bytes or more.
    pub fn payload_len(&self) -> Result<usize, FrameError> {
        if !self.compressed {
            return Ok(self.data.len());
        }
        let declared = snappy::declared_length(self.data)?;
        at_most(declared, MAX_FRAME_SIZE)
    }

    /// The payload, uncompressed, in a buffer of exactly its size. The length is checked before
    /// the buffer is allocated.
    ///
    /// # Errors
    /// As [`payload_len`](Self::payload_len); [`FrameError::PayloadTooLarge`] if the payload has
    /// more than `limit` bytes; [`FrameError::Snappy`] if it does not decompress to the length
    /// that it declares.
    pub fn payload(&self, limit: usize) -> Result<Bytes, FrameError> {
        let length = at_most(self.payload_len()? as u64, limit)?;
        if self.compressed {
            Ok(snappy::decompress(self.data, length)?.into())
        } else {
            Ok(Bytes::copy_from_slice(self.data))
        }
    }
}

fn at_most(got: u64, max: usize) -> Result<usize, FrameError> {
    match usize::try_from(got) {
        Ok(length) if length <= max => Ok(length),
        _ => Err(FrameError::PayloadTooLarge { got, max }),
    }
}

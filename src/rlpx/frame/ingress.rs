//! The receiving direction of a connection: opens frames.

use std::fmt;
use std::mem;

use bytes::{Bytes, BytesMut};
use peermux_crypto::Aes256Ctr;

use super::{BLOCK, HEADER, MAX_FIRST_FRAME, MAX_FRAME_SIZE, padded};
#[cfg(feature = "server")]
use crate::arena::Arena;
use crate::rlpx::error::{FrameError, MessageIdError};
use crate::rlpx::mac::{self, FrameMac};
use crate::rlpx::{message_id, snappy};

/// Opens received frames, in the order of their arrival.
pub struct Ingress {
    cipher: Aes256Ctr,
    pub(super) mac: FrameMac,
    snappy: bool,
    max_frame_size: usize,
    state: State,
}

/// The position in the stream of frames.
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
    /// The header is verified and decrypted, and the MAC has absorbed part of the body.
    ///
    /// The header's bytes are still in the caller's buffer; `absorbed` counts bytes of the body.
    Body { frame_size: usize, absorbed: usize },
    /// A frame was rejected, so the two sides' cipher states can no longer agree.
    Failed,
}

/// The result of [`Ingress::open`].
#[derive(Debug)]
pub enum Opened<'b> {
    /// The frame is not complete.
    NeedMore {
        /// The minimum input for the next call, in bytes from the frame's start.
        total: usize,
    },
    /// One frame, verified and decrypted.
    Frame {
        /// The frame; it borrows the input.
        frame: Frame<'b>,
        /// Bytes of the input that the frame takes. The next frame starts after them.
        consumed: usize,
    },
}

impl Ingress {
    pub(in crate::rlpx) fn new(aes_secret: &[u8; 32], mac: FrameMac) -> Self {
        Self {
            cipher: Aes256Ctr::new(aes_secret),
            mac,
            snappy: false,
            max_frame_size: MAX_FIRST_FRAME,
            state: State::Header,
        }
    }

    /// Sets whether the following frames are compressed.
    ///
    /// Initially, frames are not compressed. Switch compression on if both Hellos announce version
    /// 5 ([EIP-706]).
    ///
    /// [EIP-706]: https://eips.ethereum.org/EIPS/eip-706
    pub fn set_snappy(&mut self, on: bool) {
        self.snappy = on;
    }

    /// Sets how many bytes of id and data a frame may announce.
    ///
    /// The initial limit is 2049, which a Hello never exceeds; raise it after the Hello. A value
    /// above [`MAX_FRAME_SIZE`], the format's limit, is reduced to it.
    pub fn set_max_frame_size(&mut self, bytes: usize) {
        self.max_frame_size = bytes.min(MAX_FRAME_SIZE);
    }

    /// Opens the frame at the start of `input`, in place.
    ///
    /// The header is verified and decrypted once, as soon as it has arrived. Until the frame is
    /// complete, call again with the same bytes followed by more. Each call absorbs the new part of
    /// the body into the MAC, so little work is left when the last byte arrives.
    ///
    /// Each MAC is compared in constant time, before anything that it covers is used. The one
    /// exception is the size in the header, which determines how many bytes the MAC absorbs.
    ///
    /// # Errors
    /// [`FrameError`] if the frame is too large, a MAC is wrong or the message id is malformed. The
    /// connection is then lost, and every later call fails too.
    pub fn open<'b>(&mut self, input: &'b mut [u8]) -> Result<Opened<'b>, FrameError> {
        // An early return below leaves the state at `Failed` unless it sets another state.
        let (frame_size, body) = match mem::replace(&mut self.state, State::Failed) {
            State::Failed => return Err(FrameError::AlreadyFailed),
            State::Body {
                frame_size,
                absorbed,
            } => (frame_size, self.go_on(input, frame_size, absorbed)?),
            State::Header => match input.split_first_chunk() {
                Some((header, rest)) => self.begin(header, rest)?,
                None => {
                    self.state = State::Header;
                    return Ok(Opened::NeedMore { total: HEADER });
                }
            },
        };
        let body_end = HEADER + padded(frame_size);
        let total = body_end + mac::LENGTH;
        if let Body::Incomplete { absorbed } = body {
            self.state = State::Body {
                frame_size,
                absorbed,
            };
            return Ok(Opened::NeedMore { total });
        }
        let body = &mut input[HEADER..body_end];
        self.cipher.apply_keystream(body);
        let frame = Frame::parse(&body[..frame_size], self.snappy)?;
        self.state = State::Header;
        Ok(Opened::Frame {
            frame,
            consumed: total,
        })
    }

    /// Verifies a header, and the body too if all of it is in `rest`.
    ///
    /// Returns the number of bytes of id and data, and the state of the body.
    fn begin(&mut self, header: &[u8; HEADER], rest: &[u8]) -> Result<(usize, Body), FrameError> {
        let (ciphertext, header_mac) = header.split_at(BLOCK);
        let mut block = [0; BLOCK];
        block.copy_from_slice(ciphertext);
        let frame_size = self.announced(block);
        let checked = check_size(frame_size, self.max_frame_size);
        if let Some((body, body_mac)) = whole_body(frame_size, rest)
            && checked.is_ok()
        {
            let (header_tag, body_tag) = self.mac.frame(&block, body);
            if !header_tag.verify(header_mac) {
                return Err(FrameError::HeaderMac);
            }
            if !body_tag.verify(body_mac) {
                return Err(FrameError::BodyMac);
            }
            return Ok((frame_size, Body::Verified));
        }
        let arrived = &rest[..rest.len().min(padded(frame_size))];
        if !self.mac.header(&block, arrived).verify(header_mac) {
            return Err(FrameError::HeaderMac);
        }
        checked?;
        let absorbed = arrived.len();
        Ok((frame_size, Body::Incomplete { absorbed }))
    }

    /// Absorbs the new part of a body, and verifies the body if it is complete.
    fn go_on(
        &mut self,
        input: &[u8],
        frame_size: usize,
        absorbed: usize,
    ) -> Result<Body, FrameError> {
        let end = HEADER + padded(frame_size);
        let arrived = input.len().min(end);
        if let Some(piece) = input.get(HEADER + absorbed..arrived) {
            self.mac.body(piece);
        }
        let Some(body_mac) = input.get(end..end + mac::LENGTH) else {
            let absorbed = absorbed.max(arrived.saturating_sub(HEADER));
            return Ok(Body::Incomplete { absorbed });
        };
        if self.mac.finish().verify(body_mac) {
            Ok(Body::Verified)
        } else {
            Err(FrameError::BodyMac)
        }
    }

    /// Decrypts a header, and returns the number of bytes of id and data.
    fn announced(&mut self, mut header: [u8; BLOCK]) -> usize {
        self.cipher.apply_keystream(&mut header);
        header[..3]
            .iter()
            .fold(0, |size, &byte| (size << 8) | usize::from(byte))
    }
}

/// The state of a body.
enum Body {
    /// The body is complete, and its MAC is correct.
    Verified,
    /// The MAC has absorbed the part that has arrived.
    Incomplete { absorbed: usize },
}

/// Returns a frame's body and its MAC, if both are in `rest`.
fn whole_body(frame_size: usize, rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, rest) = rest.split_at_checked(padded(frame_size))?;
    Some((body, rest.get(..mac::LENGTH)?))
}

fn check_size(frame_size: usize, max: usize) -> Result<(), FrameError> {
    if frame_size == 0 {
        return Err(FrameError::MessageId(MessageIdError::Missing));
    }
    if frame_size > max {
        return Err(FrameError::FrameTooLarge {
            got: frame_size,
            max,
        });
    }
    Ok(())
}

impl fmt::Debug for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingress")
            .field("snappy", &self.snappy)
            .field("max_frame_size", &self.max_frame_size)
            .finish_non_exhaustive()
    }
}

/// One message from a frame.
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

    /// Returns the message id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the bytes after the id, as received.
    ///
    /// They are compressed if [`is_compressed`](Self::is_compressed) returns `true`.
    pub fn data(&self) -> &'b [u8] {
        self.data
    }

    /// Returns whether compression was on when the frame was opened.
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Returns the length of the uncompressed payload.
    ///
    /// For compressed data this is the declared length. Nothing is allocated, so the caller can
    /// check limits first.
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

    /// Like [`payload_len`](Self::payload_len), but rejects more than `limit` bytes.
    pub(crate) fn payload_len_within(&self, limit: usize) -> Result<usize, FrameError> {
        at_most(self.payload_len()? as u64, limit)
    }

    /// Returns the uncompressed payload, in a buffer of exactly its size.
    ///
    /// The length is checked before the buffer is allocated.
    ///
    /// # Errors
    /// Same as [`payload_len`](Self::payload_len); [`FrameError::PayloadTooLarge`] if the payload
    /// has more than `limit` bytes; [`FrameError::Snappy`] if it does not decompress to its
    /// declared length.
    pub fn payload(&self, limit: usize) -> Result<Bytes, FrameError> {
        let length = self.payload_len_within(limit)?;
        let mut payload = BytesMut::with_capacity(length);
        self.write_payload(length, &mut payload)?;
        Ok(payload.freeze())
    }

    /// Returns the uncompressed payload, in memory that small payloads share.
    ///
    /// `length` is the result of [`payload_len`](Self::payload_len) for this frame.
    #[cfg(feature = "server")]
    pub(crate) fn payload_in(&self, length: usize, arena: &mut Arena) -> Result<Bytes, FrameError> {
        arena.payload(length, |payload| self.write_payload(length, payload))
    }

    fn write_payload(&self, length: usize, out: &mut BytesMut) -> Result<(), FrameError> {
        if self.compressed {
            Ok(snappy::decompress(self.data, length, out)?)
        } else {
            out.extend_from_slice(self.data);
            Ok(())
        }
    }
}

fn at_most(got: u64, max: usize) -> Result<usize, FrameError> {
    match usize::try_from(got) {
        Ok(length) if length <= max => Ok(length),
        _ => Err(FrameError::PayloadTooLarge { got, max }),
    }
}

//! The sending direction of a connection: seals messages into frames.

use std::fmt;

use bytes::{BufMut, BytesMut};
use peermux_crypto::Aes256Ctr;

use super::{BLOCK, HEADER, MAX_FRAME_SIZE, MAX_PAYLOAD, padded};
use crate::rlpx::error::SealError;
use crate::rlpx::mac::{self, FrameMac};
use crate::rlpx::message_id;
use crate::rlpx::snappy::Compressor;

/// The size of the pieces in which a body is encrypted and then authenticated.
///
/// A piece of this size is still in the cache when the MAC reads it. The size is a multiple of the
/// cipher's block and of the cache line.
const PIECE: usize = 8 * 1024;

/// Header data: the RLP list `[0, 0]`, which receivers ignore.
const HEADER_DATA: [u8; 3] = [0xc2, 0x80, 0x80];

/// Seals messages into frames, which must be sent in the order of sealing.
pub struct Egress {
    cipher: Aes256Ctr,
    pub(super) mac: FrameMac,
    snappy: bool,
    /// Created on first use, and dropped when the connection falls silent.
    compressor: Option<Box<Compressor>>,
    /// The buffer of a frame that is sealed in pieces.
    pub(super) large: Vec<u8>,
}

impl Egress {
    pub(in crate::rlpx) fn new(aes_secret: &[u8; 32], mac: FrameMac) -> Self {
        Self {
            cipher: Aes256Ctr::new(aes_secret),
            mac,
            snappy: false,
            compressor: None,
            large: Vec::new(),
        }
    }

    /// Switches compression on or off for the following messages.
    ///
    /// Compression is off at first. Switch it on if both Hellos announce version 5 ([EIP-706]).
    ///
    /// [EIP-706]: https://eips.ethereum.org/EIPS/eip-706
    pub fn set_snappy(&mut self, on: bool) {
        self.snappy = on;
    }

    #[cfg(feature = "server")]
    pub(super) fn is_compressing(&self) -> bool {
        self.snappy
    }

    /// Frees the memory for compressing and for sealing in pieces.
    ///
    /// Call it when the connection falls silent.
    pub fn shrink(&mut self) {
        self.compressor = None;
        self.large = Vec::new();
    }

    /// Returns the compressor, if compression is on.
    pub(super) fn compressor(&mut self) -> Option<&mut Compressor> {
        self.snappy.then(|| {
            let compressor = &mut self.compressor;
            &mut **compressor.get_or_insert_with(|| Box::new(Compressor::new()))
        })
    }

    /// Appends a frame with one message, and returns the wire size of its data.
    ///
    /// `data` is compressed if compression is on. The frame is built, compressed and encrypted in
    /// place: if `out` has room, nothing is allocated.
    ///
    /// # Errors
    /// [`SealError`] if `data` is longer than [`MAX_PAYLOAD`], or id and data do not fit into a
    /// frame. In that case, `out` and the state of the connection are unchanged, and the connection
    /// can still be used.
    pub fn seal(&mut self, id: u64, data: &[u8], out: &mut BytesMut) -> Result<usize, SealError> {
        let start = out.len();
        let result = append_plaintext(id, data, self.compressor(), out);
        self.encrypt_appended(start, result, out)
    }

    /// Like [`seal`](Self::seal), but never compresses.
    ///
    /// Use it for the Hello, or for a Disconnect sent instead of the Hello.
    ///
    /// # Errors
    /// Same as [`seal`](Self::seal).
    pub fn seal_uncompressed(
        &mut self,
        id: u64,
        data: &[u8],
        out: &mut BytesMut,
    ) -> Result<usize, SealError> {
        let start = out.len();
        let result = append_plaintext(id, data, None, out);
        self.encrypt_appended(start, result, out)
    }

    /// Encrypts the plaintext that was appended at `start`, or removes it on an error.
    fn encrypt_appended(
        &mut self,
        start: usize,
        appended: Result<Plaintext, SealError>,
        out: &mut BytesMut,
    ) -> Result<usize, SealError> {
        match appended {
            Ok(plaintext) => {
                self.encrypt(header(plaintext.frame_size), &mut out[start..]);
                Ok(plaintext.data)
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Encrypts a frame in place; `frame` has room for header and MACs.
    pub(in crate::rlpx) fn encrypt(&mut self, mut header: [u8; BLOCK], frame: &mut [u8]) {
        let (head, body) = frame.split_at_mut(HEADER);
        let (body, body_mac) = body.split_at_mut(body.len() - mac::LENGTH);
        let body_tag = if body.len() <= PIECE {
            self.cipher.apply_keystream(&mut header);
            self.cipher.apply_keystream(body);
            let (header_tag, body_tag) = self.mac.frame(&header, body);
            head[..BLOCK].copy_from_slice(&header);
            head[BLOCK..].copy_from_slice(&header_tag.0);
            body_tag
        } else {
            self.encrypt_begin(header, head, body);
            self.mac.finish()
        };
        body_mac.copy_from_slice(&body_tag.0);
    }

    /// Encrypts the header and the start of the body; `head` receives header and MAC.
    pub(super) fn encrypt_begin(
        &mut self,
        mut header: [u8; BLOCK],
        head: &mut [u8],
        body: &mut [u8],
    ) {
        let (first, rest) = body.split_at_mut(body.len().min(PIECE));
        self.cipher.apply_keystream(&mut header);
        self.cipher.apply_keystream(first);
        let tag = self.mac.header(&header, first);
        head[..BLOCK].copy_from_slice(&header);
        head[BLOCK..].copy_from_slice(&tag.0);
        self.encrypt_more(rest);
    }

    /// Encrypts the next part of the body.
    pub(super) fn encrypt_more(&mut self, body: &mut [u8]) {
        for piece in body.chunks_mut(PIECE) {
            self.cipher.apply_keystream(piece);
            self.mac.body(piece);
        }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("snappy", &self.snappy)
            .finish_non_exhaustive()
    }
}

/// Returns the plaintext of the header for `frame_size` bytes of id and data.
pub(in crate::rlpx) fn header(frame_size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    header[..3].copy_from_slice(&frame_size.to_be_bytes()[size_of::<usize>() - 3..]);
    header[3..6].copy_from_slice(&HEADER_DATA);
    header
}

/// The sizes of an appended plaintext.
pub(super) struct Plaintext {
    /// Bytes of id and data.
    pub(super) frame_size: usize,
    /// Bytes of data.
    pub(super) data: usize,
}

/// Appends the plaintext of a frame: zeros for header and MACs, id, data, padding.
pub(super) fn append_plaintext(
    id: u64,
    data: &[u8],
    compressor: Option<&mut Compressor>,
    out: &mut BytesMut,
) -> Result<Plaintext, SealError> {
    check_payload(data)?;
    let mut buffer = [0; message_id::MAX_LENGTH];
    let id = message_id::encode(id, &mut buffer);
    let start = out.len();
    if compressor.is_none() {
        out.reserve(HEADER + padded(id.len() + data.len()) + mac::LENGTH);
    }
    out.put_bytes(0, HEADER);
    out.put_slice(id);
    match compressor {
        Some(compressor) => compressor.append(data, out)?,
        None => out.put_slice(data),
    }
    let frame_size = check_frame(out.len() - start - HEADER)?;
    out.put_bytes(0, padded(frame_size) - frame_size + mac::LENGTH);
    Ok(Plaintext {
        frame_size,
        data: frame_size - id.len(),
    })
}

pub(super) fn check_payload(data: &[u8]) -> Result<(), SealError> {
    if data.len() > MAX_PAYLOAD {
        return Err(SealError::PayloadTooLarge {
            got: data.len(),
            max: MAX_PAYLOAD,
        });
    }
    Ok(())
}

/// Returns `size`, the bytes of id and data, if it fits into a frame.
pub(super) fn check_frame(size: usize) -> Result<usize, SealError> {
    if size > MAX_FRAME_SIZE {
        return Err(SealError::FrameTooLarge {
            got: size,
            max: MAX_FRAME_SIZE,
        });
    }
    Ok(size)
}

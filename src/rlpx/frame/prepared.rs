//! Data for many connections: compressed once, and copied only to be encrypted.

use bytes::{Bytes, BytesMut};

use super::egress::{check_frame, check_payload, header};
use super::{BLOCK, Egress, HEADER, padded};
use crate::rlpx::error::SealError;
use crate::rlpx::snappy::Compressor;
use crate::rlpx::{mac, message_id};

/// The data of a message, plain and compressed.
#[derive(Debug)]
pub(crate) struct Prepared {
    plain: Bytes,
    compressed: Bytes,
}

impl Prepared {
    /// Compresses `plain`.
    ///
    /// # Errors
    /// [`SealError`] for data longer than [`MAX_PAYLOAD`](super::MAX_PAYLOAD).
    pub(crate) fn new(plain: Bytes) -> Result<Self, SealError> {
        check_payload(&plain)?;
        let mut compressed = BytesMut::new();
        Compressor::new().append(&plain, &mut compressed)?;
        // Copied, because the copy has no spare capacity.
        let compressed = Bytes::copy_from_slice(&compressed);
        Ok(Self { plain, compressed })
    }

    /// Returns the plain data.
    pub(crate) fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// Returns how many bytes of memory the plain and the compressed data take together.
    pub(crate) fn memory(&self) -> usize {
        self.plain.len().saturating_add(self.compressed.len())
    }
}

/// A message that is being sealed from prepared data.
///
/// Seal all of its pieces before you seal anything else.
#[derive(Debug)]
#[must_use = "a frame that has been started must be sealed completely"]
pub(crate) struct PreparedPieces<'a> {
    id: u64,
    data: &'a [u8],
    /// Bytes of id and data.
    frame_size: usize,
    /// Bytes of data sealed so far; `None` before the first piece.
    sealed: Option<usize>,
}

impl Egress {
    /// Begins to seal a message with prepared data, without copying all data at once.
    ///
    /// # Errors
    /// [`SealError::FrameTooLarge`] if the data does not fit into a frame. In that case, nothing
    /// has been sealed.
    pub(crate) fn begin_prepared<'a>(
        &self,
        id: u64,
        data: &'a Prepared,
    ) -> Result<PreparedPieces<'a>, SealError> {
        let data = if self.is_compressing() {
            &data.compressed
        } else {
            &data.plain
        };
        let id_length = message_id::encode(id, &mut [0; message_id::MAX_LENGTH]).len();
        Ok(PreparedPieces {
            id,
            data,
            frame_size: check_frame(id_length.saturating_add(data.len()))?,
            sealed: None,
        })
    }

    /// Appends the next piece of the frame to `out`, with about `size` bytes of data.
    ///
    /// Returns `false` if no piece is left.
    pub(crate) fn append_piece(
        &mut self,
        pieces: &mut PreparedPieces<'_>,
        size: usize,
        out: &mut BytesMut,
    ) -> bool {
        let first = pieces.sealed.is_none();
        let sealed = pieces.sealed.unwrap_or(0);
        let left = pieces.data.get(sealed..).unwrap_or_default();
        if left.is_empty() && !first {
            return false;
        }
        let (now, rest) = left.split_at(left.len().min(size.next_multiple_of(BLOCK)));
        pieces.sealed = Some(sealed.saturating_add(now.len()));
        let start = out.len();
        // Many connections may seal at the same time, so each takes no more memory than it needs.
        out.reserve(HEADER + message_id::MAX_LENGTH + now.len() + BLOCK + mac::LENGTH);
        if first {
            out.resize(start + HEADER, 0);
            let mut buffer = [0; message_id::MAX_LENGTH];
            out.extend_from_slice(message_id::encode(pieces.id, &mut buffer));
        }
        out.extend_from_slice(now);
        if rest.is_empty() {
            let padding = padded(pieces.frame_size) - pieces.frame_size;
            out.resize(out.len() + padding, 0);
        }
        if first {
            let (head, body) = out[start..].split_at_mut(HEADER);
            self.encrypt_begin(header(pieces.frame_size), head, body);
        } else {
            self.encrypt_more(&mut out[start..]);
        }
        if rest.is_empty() {
            out.extend_from_slice(&self.mac.finish().0);
        }
        true
    }
}

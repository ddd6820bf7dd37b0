//! Data that many connections send: it is compressed once, and copied only where it is encrypted.

use bytes::{Bytes, BytesMut};

use super::egress::{check_frame, check_payload, header};
use super::{BLOCK, Egress, HEADER, padded};
use crate::rlpx::error::SealError;
use crate::rlpx::snappy::Compressor;
use crate::rlpx::{mac, message_id};

/// The data of a message as it is, and compressed.
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
        // Without the room that it might have needed.
        let compressed = Bytes::copy_from_slice(&compressed);
        Ok(Self { plain, compressed })
    }

    /// The data before compression.
    pub(crate) fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// What both forms take, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.plain.len().saturating_add(self.compressed.len())
    }
}

/// A message that is being sealed from prepared data. Nothing else may be sealed before its last
/// piece is.
#[derive(Debug)]
#[must_use = "a frame that is begun has to be sealed to its end"]
pub(crate) struct PreparedPieces<'a> {
    id: u64,
    data: &'a [u8],
    /// Bytes of id and data.
    frame_size: usize,
    /// Bytes of data that were sealed; `None` before the first piece.
    sealed: Option<usize>,
}

impl Egress {
    /// Begins to seal the message `id` with prepared data, of which no copy is made as a whole.
    ///
    /// # Errors
    /// [`SealError::FrameTooLarge`], before anything is sealed.
    pub(crate) fn begin_prepared<'a>(
        &self,
        id: u64,
        data: &'a Prepared,
    ) -> Result<PreparedPieces<'a>, SealError> {
        let data = match self.is_compressing() {
            true => &data.compressed,
            false => &data.plain,
        };
        let id_length = message_id::encode(id, &mut [0; message_id::MAX_LENGTH]).len();
        Ok(PreparedPieces {
            id,
            data,
            frame_size: check_frame(id_length.saturating_add(data.len()))?,
            sealed: None,
        })
    }

    /// Appends the next piece of the frame to `out`, as it goes over the wire, with about `size`
    /// bytes of data. False if there is none left.
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
        // What many connections take at a time: no more than it needs.
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

//! Seals a large message piece by piece.
//!
//! The first bytes of such a message can be sent before its last bytes are encrypted.

use std::mem;

use snap::raw::max_compress_len;

use super::egress::{check_frame, check_payload, header};
use super::{BLOCK, Egress, HEADER, padded};
use crate::rlpx::error::SealError;
use crate::rlpx::mac;
use crate::rlpx::message_id;

/// How much of the large-message buffer is kept for the next message, in bytes.
const KEEP: usize = 2 << 20;

/// A message that is being sealed.
///
/// Seal all of its pieces before you seal anything else.
#[derive(Debug)]
#[must_use = "a frame that has been started must be sealed completely"]
pub struct Pieces {
    /// Bytes of id and data.
    frame_size: usize,
    /// Bytes of id, data and padding sealed so far.
    sealed: usize,
}

impl Egress {
    /// Begins to seal a message; [`next_piece`](Self::next_piece) returns the frame's pieces.
    ///
    /// `data` is compressed first if compression is on. The frame is built and encrypted in memory
    /// that is kept until [`shrink`](Self::shrink).
    ///
    /// ```
    /// # use peermux::rlpx::{Egress, SealError};
    /// fn send(egress: &mut Egress, data: &[u8]) -> Result<Vec<Vec<u8>>, SealError> {
    ///     let mut pieces = egress.begin(16, data)?;
    ///     let mut written = Vec::new();
    ///     while let Some(piece) = egress.next_piece(&mut pieces, 64 << 10) {
    ///         written.push(piece.to_vec());
    ///     }
    ///     Ok(written)
    /// }
    /// ```
    ///
    /// # Errors
    /// Same as [`seal`](Self::seal).
    pub fn begin(&mut self, id: u64, data: &[u8]) -> Result<Pieces, SealError> {
        check_payload(data)?;
        let mut buffer = [0; message_id::MAX_LENGTH];
        let id = message_id::encode(id, &mut buffer);
        let start = HEADER + id.len();
        let mut frame = mem::take(&mut self.large);
        make_room(
            &mut frame,
            start + max_compress_len(data.len()) + BLOCK + mac::LENGTH,
        );
        frame[HEADER..start].copy_from_slice(id);
        let length = match self.compressor() {
            Some(compressor) => compressor.compress(data, &mut frame[start..])?,
            None => {
                frame[start..start + data.len()].copy_from_slice(data);
                data.len()
            }
        };
        let frame_size = check_frame(id.len() + length)?;
        frame[HEADER..][frame_size..padded(frame_size)].fill(0);
        self.large = frame;
        Ok(Pieces {
            frame_size,
            sealed: 0,
        })
    }

    /// Returns the maximum memory that sealing a message takes, in bytes.
    ///
    /// `payload` is the data size of the message to [begin](Self::begin); for 0, the result is the
    /// memory held now.
    #[cfg(feature = "server")]
    pub(crate) fn sealing(&self, payload: usize) -> usize {
        let most =
            HEADER + message_id::MAX_LENGTH + max_compress_len(payload) + BLOCK + mac::LENGTH;
        match payload {
            0 => self.large.capacity(),
            _ => self.large.capacity().max(most),
        }
    }

    /// Returns the next piece of the frame to send, or `None` after the last one.
    ///
    /// A piece has about `size` bytes, and at most 63 more.
    pub fn next_piece(&mut self, pieces: &mut Pieces, size: usize) -> Option<&[u8]> {
        let body = padded(pieces.frame_size);
        let begin = pieces.sealed;
        if begin == body {
            return None;
        }
        let end = (begin + size.next_multiple_of(BLOCK)).min(body);
        pieces.sealed = end;
        let mut frame = mem::take(&mut self.large);
        let mut range = HEADER + begin..HEADER + end;
        if begin == 0 {
            range.start = 0;
            let (head, first) = frame[range.clone()].split_at_mut(HEADER);
            self.encrypt_begin(header(pieces.frame_size), head, first);
        } else {
            self.encrypt_more(&mut frame[range.clone()]);
        }
        if end == body {
            range.end += mac::LENGTH;
            frame[HEADER + end..range.end].copy_from_slice(&self.mac.finish().0);
        }
        self.large = frame;
        Some(&self.large[range])
    }
}

/// Grows `memory` to at least `room` bytes, or frees memory that is too large.
///
/// It is too large if it has more bytes than `KEEP` and more than `room`. Then `room` bytes remain.
fn make_room(memory: &mut Vec<u8>, room: usize) {
    if memory.len() < room {
        memory.resize(room, 0);
    } else if memory.len() > KEEP.max(room) {
        *memory = vec![0; room];
    }
}

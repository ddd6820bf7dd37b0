//! Sealing a large message piece by piece, so that its first bytes travel while the last ones are
//! still being encrypted, and no buffer has to hold the whole frame.

use bytes::{BufMut, BytesMut};

use super::egress::{check_frame, check_payload, header};
use super::{BLOCK, Egress, HEADER, padded};
use crate::rlpx::error::SealError;
use crate::rlpx::mac;
use crate::rlpx::message_id;

/// A message that is being sealed. Nothing else may be sealed before its last piece is.
#[derive(Debug)]
#[must_use = "a frame that is begun has to be sealed to its end"]
pub struct Pieces {
    id: [u8; message_id::MAX_LENGTH],
    /// Bytes of id and data.
    frame_size: usize,
    /// Bytes of id, data and padding that were sealed.
    sealed: usize,
    /// Bytes of the id.
    id_length: usize,
}

impl Egress {
    /// Begins to seal the message `id` with `data`, which is compressed first if compression is
    /// on, into memory that is kept until [`shrink`](Self::shrink).
    ///
    /// ```
    /// # use bytes::BytesMut;
    /// # use peermux::rlpx::{Egress, SealError};
    /// fn send(egress: &mut Egress, data: &[u8]) -> Result<Vec<BytesMut>, SealError> {
    ///     let mut frame = egress.begin(16, data)?;
    ///     let mut written = Vec::new();
    ///     let mut last = false;
    ///     while !last {
    ///         let mut out = BytesMut::new();
    ///         last = egress.next_piece(&mut frame, data, 64 << 10, &mut out);
    ///         written.push(out);
    ///     }
    ///     Ok(written)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn begin(&mut self, id: u64, data: &[u8]) -> Result<Pieces, SealError> {
        check_payload(data)?;
        let size = match self.compressor() {
            Some(compressor) => compressor.compress(data)?.len(),
            None => data.len(),
        };
        let mut buffer = [0; message_id::MAX_LENGTH];
        let id_length = message_id::encode(id, &mut buffer).len();
        let frame_size = check_frame(id_length + size)?;
        Ok(Pieces {
            id: buffer,
            frame_size,
            sealed: 0,
            id_length,
        })
    }

    /// Appends the next piece of the frame to `out`, of about `size` bytes and at most 63 more;
    /// `data` is what [`begin`](Self::begin) was given. Returns whether it was the last piece, and
    /// appends nothing after that.
    ///
    /// # Panics
    /// If `data` is shorter than it was.
    pub fn next_piece(
        &mut self,
        pieces: &mut Pieces,
        data: &[u8],
        size: usize,
        out: &mut BytesMut,
    ) -> bool {
        let data = self.compressed().unwrap_or(data);
        let begin = pieces.sealed;
        if begin == padded(pieces.frame_size) {
            return true;
        }
        let end = (begin + size.next_multiple_of(BLOCK)).min(padded(pieces.frame_size));
        out.reserve(HEADER + end - begin + mac::LENGTH);
        let start = out.len();
        if begin == 0 {
            out.put_bytes(0, HEADER);
        }
        pieces.append_plaintext(data, begin..end, out);
        pieces.sealed = end;
        let done = end == padded(pieces.frame_size);
        if begin == 0 {
            let (head, body) = out[start..].split_at_mut(HEADER);
            self.encrypt_begin(header(pieces.frame_size), head, body);
        } else {
            self.encrypt_more(&mut out[start..]);
        }
        if done {
            out.put_slice(&self.mac.finish().0);
        }
        done
    }
}

impl Pieces {
    /// Appends what of the body lies in `range`.
    fn append_plaintext(&self, data: &[u8], range: std::ops::Range<usize>, out: &mut BytesMut) {
        let (id, length) = (&self.id[..self.id_length], self.id_length);
        let part = |part: std::ops::Range<usize>, of: std::ops::Range<usize>| {
            part.start.clamp(of.start, of.end) - of.start
                ..part.end.clamp(of.start, of.end) - of.start
        };
        out.put_slice(&id[part(range.clone(), 0..length)]);
        out.put_slice(&data[part(range.clone(), length..self.frame_size)]);
        out.put_bytes(
            0,
            part(range, self.frame_size..padded(self.frame_size)).len(),
        );
    }
}

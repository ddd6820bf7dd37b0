//! Frames, which carry all messages after the handshake ([devp2p rlpx.md], "Framing").
//!
//! ```text
//! frame  = header (16) || header MAC (16) || body (multiple of 16) || body MAC (16)
//! header = size of id and data (3) || c2 80 80 || zeros
//! body   = message id || data || zeros
//! ```
//!
//! Each direction has one AES-256-CTR stream, which never restarts and encrypts headers and bodies.
//! The MACs are not encrypted.
//!
//! [devp2p rlpx.md]: https://github.com/ethereum/devp2p/blob/master/rlpx.md#framing

mod egress;
mod ingress;
mod pieces;
#[cfg(feature = "server")]
mod prepared;
#[cfg(test)]
mod tests;

use super::{mac, message_id};

pub use egress::Egress;
pub use ingress::{Frame, Ingress, Opened};
pub use pieces::Pieces;
#[cfg(feature = "server")]
pub(crate) use prepared::Prepared;

/// The largest uncompressed payload that every receiver accepts.
///
/// Snappy makes incompressible data larger. At this size the result just fits into one frame with a
/// one-byte message id.
pub const MAX_PAYLOAD: usize = 16_776_442;

/// Returns the largest uncompressed payload for a message id.
///
/// The result is [`MAX_PAYLOAD`] less one byte for each byte of the encoded id after the first.
///
/// ```
/// use peermux::rlpx::{MAX_PAYLOAD, max_payload};
///
/// assert_eq!(max_payload(0x7f), MAX_PAYLOAD);
/// assert_eq!(max_payload(0x80), MAX_PAYLOAD - 1);
/// ```
#[must_use]
pub fn max_payload(id: u64) -> usize {
    let id_length = message_id::encode(id, &mut [0; message_id::MAX_LENGTH]).len();
    MAX_PAYLOAD + 1 - id_length
}

/// The maximum bytes of id and data in one frame, limited by the size field.
pub const MAX_FRAME_SIZE: usize = (1 << 24) - 1;

/// The limit for the first frame: a Hello of 2048 bytes and its id.
const MAX_FIRST_FRAME: usize = 2049;

pub(super) const BLOCK: usize = 16;
pub(super) const HEADER: usize = BLOCK + mac::LENGTH;

/// Returns `size`, rounded up to whole blocks.
const fn padded(size: usize) -> usize {
    size.next_multiple_of(BLOCK)
}

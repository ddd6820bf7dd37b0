//! RLP, the encoding of every payload.
//!
//! Types of messages are encoded and decoded by the [`rlp`](https://docs.rs/rlp) crate, which is
//! re-exported from here. It accepts inputs that are not in canonical form (`b80161`, `f80105`),
//! which every other implementation of devp2p refuses, so [`check_canonical`] looks at the bytes
//! first. [`Reader`] takes nothing but the canonical form, and copies nothing.

mod canonical;
mod error;
pub(crate) mod read;
pub(crate) mod write;

pub use ::rlp::{Decodable, DecoderError, Encodable, Rlp, RlpStream, decode, encode};

pub use canonical::{check_canonical, check_exact};
pub use error::RlpError;
pub use read::Reader;
// For the code that `messages!` generates.
#[doc(hidden)]
pub use write::put_list;

/// The first byte of an empty string, and of an empty list.
const STRING: u8 = 0x80;
const LIST: u8 = 0xc0;

/// From this length on, a header holds the length in bytes of its own.
const LONG: usize = 56;

/// Nesting deeper than this is refused, so that input cannot choose our stack depth.
const MAX_DEPTH: usize = 64;

/// Whether a byte string is written without a header.
pub(crate) fn stands_for_itself(string: &[u8]) -> bool {
    matches!(string, [0..STRING])
}

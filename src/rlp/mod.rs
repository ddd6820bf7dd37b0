//! RLP, the encoding of every payload.
//!
//! Values of messages are an [`RlpValue`]. [`Reader`] takes nothing but the canonical form, and
//! copies nothing. The [`rlp`](https://docs.rs/rlp) crate is re-exported for types that other crates
//! have for it, which [`Foreign`] makes values. It accepts inputs that are not in canonical form
//! (`b80161`, `f80105`), which every other implementation of devp2p refuses, so [`check_canonical`]
//! looks at the bytes first.

mod canonical;
mod error;
pub(crate) mod read;
mod value;
pub(crate) mod write;

pub use ::rlp::{Decodable, DecoderError, Encodable, Rlp, RlpStream, decode, encode};

pub use canonical::{check_canonical, check_exact};
pub use error::RlpError;
pub use peermux_macros::RlpValue;
pub use read::Reader;
#[doc(hidden)]
pub use value::generated;
pub use value::{Bounded, Counted, Foreign, Raw, RlpValue, ValueError, ValueReader};

pub(crate) use read::number as number_of_digits;
pub(crate) use value::Memory;

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

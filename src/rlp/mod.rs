//! RLP, the encoding of every payload.
//!
//! Values of messages implement [`RlpValue`]. [`Reader`] accepts the canonical form only, and
//! copies nothing. The [`rlp`](https://docs.rs/rlp) crate is re-exported for types of other crates
//! that implement its traits; [`Foreign`] wraps such a type as an [`RlpValue`]. The `rlp` crate
//! accepts non-canonical input (`b80161`, `f80105`), which every other implementation of devp2p
//! rejects, so [`check_canonical`] runs before it.

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

/// The header of an empty string.
const STRING: u8 = 0x80;
/// The header of an empty list.
const LIST: u8 = 0xc0;

/// From this length on, the header stores the length in separate bytes.
const LONG: usize = 56;

/// The deepest nesting that is accepted, so that input cannot choose our stack depth.
const MAX_DEPTH: usize = 64;

/// Whether a byte string is written without a header.
pub(crate) fn stands_for_itself(string: &[u8]) -> bool {
    matches!(string, [0..STRING])
}

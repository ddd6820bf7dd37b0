//! The base protocol "p2p": Hello, Disconnect, Ping, Pong, and which capabilities two nodes share.
//!
//! Everything here turns bytes into values and back, without a socket or a clock. Message ids 0x00
//! to 0x0f belong to this protocol; [`match_capabilities`] hands out those from 0x10 up to the
//! protocols that both sides speak. The rules are those of the base protocol in devp2p's
//! [rlpx.md](https://github.com/ethereum/devp2p/blob/master/rlpx.md), with the tolerance towards
//! later versions that [EIP-8](https://eips.ethereum.org/EIPS/eip-8) asks for.

mod capability;
#[cfg(feature = "codec")]
mod codec;
mod disconnect;
mod hello;
pub mod ids;
mod matching;

pub use capability::{Capability, CapabilityError};
#[cfg(feature = "codec")]
pub use codec::{CodecError, RawMessage, RlpxCodec};
pub use disconnect::{DisconnectReason, decode_disconnect};
pub use hello::{Hello, HelloError, MAX_CAPABILITIES, MAX_HELLO};
pub use matching::{
    MatchError, SharedCapability, check_lengths, exceeds_one_byte_ids, match_capabilities,
};

/// How many message ids the base protocol takes; subprotocols begin here.
pub const BASE_LENGTH: u64 = 16;

/// The version of the base protocol that our Hello names.
pub const P2P_VERSION: u64 = 5;

/// From this version on, on both sides, every frame after the Hello is compressed with Snappy
/// ([EIP-706](https://eips.ethereum.org/EIPS/eip-706)).
pub const SNAPPY_VERSION: u64 = 5;

/// The payload of Ping and of Pong: an empty RLP list.
pub const EMPTY_LIST: [u8; 1] = [0xc0];

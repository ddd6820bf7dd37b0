//! The base protocol "p2p": Hello, Disconnect, Ping, Pong, and capability matching.
//!
//! Everything here converts between bytes and values, without a socket or a clock. Message ids 0x00
//! to 0x0f belong to this protocol; [`match_capabilities`] assigns those from 0x10 on to the
//! protocols that both sides speak. The rules are those of devp2p's
//! [rlpx.md](https://github.com/ethereum/devp2p/blob/master/rlpx.md), with the tolerance towards
//! later versions that [EIP-8](https://eips.ethereum.org/EIPS/eip-8) requires.

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

/// The number of message ids of the base protocol, and the first id of subprotocols.
pub const BASE_LENGTH: u64 = 16;

/// The version of the base protocol in our Hello.
pub const P2P_VERSION: u64 = 5;

/// The first version with Snappy compression ([EIP-706](https://eips.ethereum.org/EIPS/eip-706)).
///
/// If both sides have it, every frame after the Hellos is compressed.
pub const SNAPPY_VERSION: u64 = 5;

/// The payload of Ping and Pong: an empty RLP list.
pub const EMPTY_LIST: [u8; 1] = [0xc0];

//! Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
#![forbid(unsafe_code)]

pub mod node;
pub mod p2p;
pub mod rlp;
pub mod rlpx;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

//! Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
#![forbid(unsafe_code)]

mod fault;
mod keccak;
pub mod node;
pub mod p2p;
pub mod rlp;
pub mod rlpx;
#[cfg(feature = "serde")]
mod serde_text;

pub use fault::Fault;
pub use node::{Endpoint, Enode, Host, Node, NodeId, NodeRecord, PublicKey, SecretKey};

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

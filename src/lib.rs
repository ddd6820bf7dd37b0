//! Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
//!
//! You register subprotocols – a name, a version, a number of message codes and an async
//! function – and peermux authenticates and encrypts connections, agrees with each peer on the
//! protocols that both speak, and routes every message to the right handler. It speaks the wire
//! protocol of Ethereum's [devp2p](https://github.com/ethereum/devp2p/blob/master/rlpx.md):
//! go-ethereum, reth and EthereumJS nodes are its peers.
//!
//! ```text
//!   comm       connections by identity, acknowledgements, subscriptions
//!   server     set-up, admission, peer set, events         what an application holds
//!   peer       read loop · ping loop · write gate · one task per protocol
//!   protocol   registration, typed messages, the channel a handler reads and writes
//!   setup      a stream → authenticated → established
//!   p2p        base protocol, capability matching          ┐ bytes alone: no socket,
//!   rlpx       handshake, secrets, frames, Snappy          ┘ no clock, no runtime
//!   node       keys, node ids, enode URLs, node records
//! ```
//!
//! Start with [`protocol`] to write a subprotocol and with [`server`] to run a node. The layers
//! below are public for tools that need single handshakes or frames.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `server` | yes | everything that needs a tokio runtime: [`setup`], [`protocol`], [`peer`], [`server`] |
//! | `connmgr` | with `server` | [`connmgr`], which needs nothing else of this crate |
//! | `addrbook` | no | `addrbook`: addresses, node records and bans, kept in a file |
//! | `asm` | yes | Keccak in assembly where `vector` does not serve; plain Rust otherwise |
//! | `vector` | yes | two Keccak states at once in vector registers, on x86-64 |
//! | `codec` | with `server` | [`rlpx::RlpxCodec`], a tokio-util codec |
//! | `comm` | no | [`comm`]: sending to identities, with acknowledgements and subscriptions |
//! | `x509` | no | identities for [`comm`] that are X.509 certificates |
//! | `serde` | no | serialisation of ids, events, information records |
//! | `metrics` | no | counters and gauges through the `metrics` facade |
//! | `test-util` | no | in-memory peers and a scripted remote, to test your own protocols |
#![forbid(unsafe_code)]

#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "addrbook")]
pub mod addrbook;
#[cfg(feature = "server")]
mod arena;
#[cfg(feature = "comm")]
pub mod comm;
#[cfg(feature = "connmgr")]
pub mod connmgr;
mod fault;
mod keccak;
pub mod node;
pub mod p2p;
#[cfg(feature = "server")]
pub mod peer;
#[cfg(feature = "server")]
pub mod protocol;
pub mod rlp;
pub mod rlpx;
#[cfg(feature = "serde")]
mod serde_text;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod setup;
#[cfg(feature = "server")]
mod spare;
mod stage;
#[cfg(feature = "test-util")]
pub mod testing;
#[cfg(feature = "server")]
pub mod transport;

#[cfg(all(feature = "serde", feature = "server"))]
mod units;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use bytes::Bytes;
pub use fault::Fault;
pub use node::{Endpoint, Enode, Host, Node, NodeId, NodeRecord, PublicKey, SecretKey};
pub use p2p::{Capability, DisconnectReason, Hello, SharedCapability};
pub use stage::Stage;

#[cfg(feature = "server")]
pub use peer::{
    Direction, MemoryLimits, MessageEvent, Peer, PeerConfig, PeerError, PeerEvent, PeerOutcome,
};
#[cfg(feature = "server")]
pub use protocol::{
    Message, MessageError, Protocol, ProtocolBuilder, ProtocolConn, ProtocolError, ProtocolLimits,
    ProtocolReceiver, ProtocolSender, Received, SendError, Subprotocol, TrySendError, WhenFull,
    WireMessage,
};
#[cfg(feature = "server")]
pub use server::{DialError, Server, ServerBuilder, ServerConfig, StartError};

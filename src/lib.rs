//! Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
//!
//! You register subprotocols – a name, a version, a number of message codes and an async
//! function – and peermux authenticates and encrypts connections, agrees with each peer on the
//! protocols that both speak, and routes every message to the right handler. It speaks the wire
//! protocol of Ethereum's [devp2p](https://github.com/ethereum/devp2p/blob/master/rlpx.md):
//! go-ethereum and EthereumJS nodes are its peers.
//!
//! ```text
//!   comm       connections by identity, acknowledgements, subscriptions
//!   server     set-up, admission, peer set, events         what an application holds
//!   connmgr    sockets, listeners, dials, retries         beside it: addrbook, known nodes
//!   requests   requests that are answered
//!   driver     read loop · write loop · ping loop · one task per protocol
//!   peer       a peer's handle, its protocols, how it ends
//!   channel    what a handler reads and writes: a bounded inbox, a lane of the write gate
//!   message    raw and typed messages
//!   setup      a stream → authenticated → established
//!   p2p        base protocol, capability matching          ┐ bytes alone: no socket,
//!   rlpx       handshake, secrets, frames, Snappy          ┘ no clock, no runtime
//!   node       keys, node ids, enode URLs, node records
//! ```
//!
//! Start with the chapter [`guide::protocols`] to write a subprotocol; [`messages!`], [`peer`] and
//! [`requests`] tell the rest, and [`server`] how to run a node. The layers below are public for tools
//! that need single handshakes or frames.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `server` | yes | everything that needs a tokio runtime: [`setup`], [`channel`], [`peer`], [`driver`], [`server`] |
//! | `connmgr` | with `server` | [`connmgr`], for any kind of address and stream |
//! | `addrbook` | no | `addrbook`: addresses, node records and bans, kept in a file |
//! | `asm` | yes | Keccak in assembly where `vector` does not serve; plain Rust otherwise |
//! | `vector` | yes | two Keccak states at once in vector registers, on x86-64 |
//! | `codec` | with `server` | [`p2p::RlpxCodec`], a tokio-util codec |
//! | `discv4` | no | `discv4`: finding nodes by Node Discovery v4 |
//! | `discv5` | no | `discv5`: finding nodes by Node Discovery v5 |
//! | `comm` | no | [`comm`]: sending to identities, with acknowledgements and subscriptions |
//! | `nat` | no | a router maps the node's port, by UPnP, PCP or NAT-PMP |
//! | `dns` | no | `dns`: lists of nodes in the DNS, through any resolver |
//! | `dns-resolver` | no | a resolver for `dns` that asks real DNS servers |
//! | `x509` | no | identities for [`comm`] that are X.509 certificates |
//! | `serde` | no | serialisation of ids, events, information records |
//! | `metrics` | no | `metrics`: counters, gauges and histograms through the facade of that name |
//! | `test-util` | no | in-memory peers and a scripted remote, to test your own protocols |
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "comm"),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "a layer does not know which layers above it are built"
    )
)]

#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "addrbook")]
pub mod addrbook;
#[cfg(feature = "server")]
mod arena;
#[cfg(any(feature = "addrbook", feature = "discv4", feature = "server"))]
mod calendar;
#[cfg(feature = "server")]
pub mod channel;
#[cfg(feature = "comm")]
pub mod comm;
#[cfg(feature = "connmgr")]
mod complaints;
#[cfg(feature = "connmgr")]
pub mod connmgr;
#[cfg(feature = "discv4")]
pub mod discv4;
#[cfg(feature = "discv5")]
pub mod discv5;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "server")]
pub mod driver;
#[cfg(any(feature = "discv4", feature = "server"))]
mod event_stream;
mod fault;
#[cfg(any(feature = "connmgr", feature = "discv4"))]
mod guarded;
#[cfg(feature = "server")]
pub mod guide;
mod ip;
mod keccak;
#[cfg(feature = "server")]
pub mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(all(feature = "server", not(feature = "metrics")))]
mod metrics;
#[cfg(any(feature = "addrbook", feature = "connmgr", feature = "dns"))]
mod mutex;
pub mod node;
pub mod p2p;
#[cfg(any(feature = "discv4", feature = "dns"))]
mod pace;
#[cfg(feature = "server")]
pub mod peer;
mod printable;
#[cfg(any(feature = "addrbook", feature = "server"))]
pub mod private_file;
#[cfg(feature = "server")]
mod quantiles;
#[cfg(feature = "connmgr")]
mod queue;
#[cfg(feature = "server")]
mod random;
#[cfg(feature = "server")]
pub mod recorder;
#[cfg(feature = "server")]
pub mod requests;
pub mod rlp;
pub mod rlpx;
#[cfg(any(feature = "discv4", feature = "server"))]
mod runtime;
#[cfg(feature = "serde")]
mod serde_text;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(
    feature = "addrbook",
    feature = "connmgr",
    feature = "discv4",
    feature = "dns"
))]
mod settings;
#[cfg(feature = "server")]
pub mod setup;
#[cfg(feature = "server")]
mod spare;
mod stage;
#[cfg(feature = "test-util")]
pub mod testing;
#[cfg(any(
    feature = "addrbook",
    feature = "connmgr",
    feature = "discv4",
    feature = "dns"
))]
mod time;
#[cfg(feature = "server")]
pub mod transport;

#[cfg(all(feature = "serde", feature = "connmgr"))]
mod units;

pub use bytes::{Bytes, BytesMut};
pub use fault::Fault;
pub use node::{Endpoint, Enode, Host, Node, NodeId, NodeRecord, PublicKey, SecretKey};
pub use p2p::{Capability, DisconnectReason, Hello, SharedCapability};
pub use rlp::RlpValue;
pub use stage::Stage;

#[cfg(feature = "server")]
pub use channel::{
    Class, MemoryLimits, ProtocolConn, ProtocolLimits, ProtocolReceiver, ProtocolSender, Quota,
    Received, SendError, TrySendError, WhenFull, WhenOver,
};
#[cfg(any(feature = "discv4", feature = "server"))]
pub use event_stream::{EventStream, Missed};
#[cfg(feature = "server")]
pub use message::{Encoded, Message, MessageError, WireMessage};
#[cfg(feature = "server")]
pub use peer::{
    MessageEvent, Peer, PeerConfig, PeerError, PeerEvent, PeerOutcome, Protocol, ProtocolBuilder,
    ProtocolError, ProtocolHandler,
};
#[cfg(any(feature = "discv4", feature = "server"))]
pub use runtime::RuntimeError;
#[cfg(feature = "server")]
pub use server::{DialError, Server, ServerBuilder, ServerConfig, StartError};
#[cfg(any(
    feature = "addrbook",
    feature = "connmgr",
    feature = "discv4",
    feature = "dns"
))]
pub use settings::TooSmall;
#[cfg(feature = "server")]
pub use setup::Direction;

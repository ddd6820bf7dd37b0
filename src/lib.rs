//! Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
//!
//! You register subprotocols: a name, a version, a set of messages, and an async function. peermux
//! finds and authenticates peers, encrypts, negotiates protocols, and routes each message to its
//! handler. It speaks Ethereum's wire protocol
//! [devp2p](https://github.com/ethereum/devp2p/blob/master/rlpx.md), so it can talk to go-ethereum,
//! reth and EthereumJS.
//!
//! ```
//! use peermux::{Protocol, SecretKey, Server, messages};
//! messages! {
//!     pub enum Greet, length = 2 {
//!         0x00 => Hello { name: String },
//!         0x01 => Welcome(String),
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let greet = Protocol::typed::<Greet>("greet", 1).run(|peer, mut conn| async move {
//!         conn.send(&Greet::Hello { name: "friend".into() }).await?;
//!         while let Some(message) = conn.recv().await? {
//!             match message.into_inner() {
//!                 Greet::Hello { name } => conn.send(&Greet::Welcome(name)).await?,
//!                 Greet::Welcome(name) => return Ok(println!("{} welcomes {name}", peer.id())),
//!             }
//!         }
//!         Ok(())
//!     });
//!     let node = || Server::builder(SecretKey::generate()).protocol(greet.clone());
//!     let alice = node().listen("127.0.0.1:0".parse()?).start().await?;
//!     node().start().await?.dial(&alice.enode()).await?.ended().await;
//!     Ok(())
//! }
//! ```
//!
//! [The guide](guide) explains this program first. Further chapters cover messages, requests,
//! broadcast, errors, tests without a network, finding peers, and operating a node.
//!
//! # Debug builds
//!
//! Unoptimised cryptography makes a debug build ten times slower. To optimise the dependencies,
//! copy these lines into your `Cargo.toml`:
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 3
//! ```
//!
//! # Where to find what
//!
//! | to do this | look here |
//! |---|---|
//! | write a protocol | [`Protocol`], [`messages!`], [`ProtocolConn`], [`Peer`] |
//! | send and answer requests | [`requests`] |
//! | run a node: listen, dial, limits, events, bans | [`Server`], [`ServerBuilder`], [`ServerConfig`] |
//! | send to all peers | [`Server::broadcast`] |
//! | find out why a connection ended | [`PeerError`], [`DialError`], [`recorder`] |
//! | test without a network | `testing` (feature `test-util`) |
//! | remember nodes and bans | `addrbook` |
//! | find nodes | `discv4`, `discv5`, `dns` |
//! | send to identities instead of connections | `comm` |
//! | only the handshake and frames, without a runtime | [`rlpx`], [`p2p`], [`node`] |
//!
//! The modules are layers; each uses only those below it:
//!
//! ```text
//!   comm       connections by identity, acknowledgements, subscriptions
//!   server     set-up, admission, peer set, events
//!   connmgr    sockets, listeners, dials, retries         next to it: addrbook, discv4, discv5, dns
//!   requests   requests with answers
//!   driver     read loop · write loop · ping loop · one task per protocol
//!   peer       a peer's handle, its protocols, how it ends
//!   channel    what a handler reads and writes: a bounded queue, a lane of the write gate
//!   message    raw and typed messages
//!   setup      a stream → authenticated → established
//!   p2p        base protocol, capability matching          ┐ bytes alone: no socket,
//!   rlpx       handshake, secrets, frames, Snappy          ┘ no clock, no runtime
//!   node       keys, node ids, enode URLs, node records
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `server` | yes | [`server`], [`peer`], [`requests`] and everything that needs a tokio runtime |
//! | `vector` | yes | two Keccak states at once in vector registers, on x86-64 |
//! | `asm` | yes | Keccak in assembly, on aarch64 |
//! | `connmgr` | with `server` | [`connmgr`], for any kind of address and stream |
//! | `codec` | with `server` | [`p2p::RlpxCodec`], a tokio-util codec |
//! | `addrbook` | no | `addrbook`: addresses, node records and bans, in a file |
//! | `discv4`, `discv5` | no | Node Discovery v4 and v5 |
//! | `dns`, `dns-resolver` | no | lists of nodes in the DNS; a resolver that queries real DNS servers |
//! | `nat` | no | port mapping by a router: UPnP, PCP, NAT-PMP |
//! | `comm`, `x509` | no | `comm`: messages to identities; X.509 certificates as identities |
//! | `serde` | no | serialisation of ids, events and information records |
//! | `metrics` | no | counters, gauges and histograms through the crate `metrics` |
//! | `test-util` | no | in-memory peers and a scripted remote, to test your own protocols |
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "comm"),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "a layer does not know which layers above it are compiled"
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
#[doc(alias = "Prometheus")]
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
#[doc(alias = "mock")]
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

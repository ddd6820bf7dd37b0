//! Sending to identities instead of connections.
//!
//! Upper layers name a peer by its endpoint (an enode URL) and by the digest of its identity. This
//! layer finds or opens the connection, makes the remote prove its identity, queues messages
//! without blocking the caller, hands received messages to the subscriptions whose predicate
//! matches, collects acknowledgements, and reports peers that look dead. It does not retry, does
//! not choose peers, and keeps no membership list.
//!
//! The layer consists of the subprotocol `comm/1` and a handle. It never dials nodes itself: it
//! asks a [`Connector`], such as a [`Server`](crate::Server), for connections.
//!
//! ```
//! use std::time::Duration;
//!
//! use futures::StreamExt;
//! use peermux::comm::{AckPolicy, Comm, Config, Envelope, RemotePeer, Secp256k1Identity};
//! use peermux::{SecretKey, Server};
//!
//! # async fn node() -> Result<(Server, Comm), Box<dyn std::error::Error>> {
//! let key = SecretKey::generate();
//! let identity = Secp256k1Identity::new(SecretKey::generate());
//! let server = Server::builder(key).listen("127.0.0.1:0".parse()?);
//! let (server, comm) = Comm::start(Config::default(), identity, server).await?;
//! # Ok((server, comm))
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (_server, comm) = node().await?;
//! # let (their_server, their_comm) = node().await?;
//!
//! let mut inbox = their_comm.accept(|message| message.envelope().tag == 7);
//! tokio::spawn(async move {
//!     while let Some(message) = inbox.next().await {
//!         let _ = message.ack(Ok(())).await;
//!     }
//! });
//!
//! let peer = RemotePeer::new(their_server.enode(), their_comm.id());
//! let policy = AckPolicy::new(1, Duration::from_secs(10));
//! let result = comm.send_with_ack(&Envelope::new(7, "hello"), policy, &[peer]).await?;
//! assert_eq!(result.ack_count(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # On the wire
//!
//! All integers are unsigned. Each payload is an RLP list of exactly the elements in the table.
//!
//! | code | name | payload | meaning |
//! |---|---|---|---|
//! | 0x00 | Establish | `[id, identity, binding, probe, signature]` | proves which identity holds the connection; sent once, as the first message in each direction |
//! | 0x01 | Data | `[ack, nonce, tag, payload, signature]` | a message; with `ack` ≠ 0 the receiver answers with one Ack of that number |
//! | 0x02 | Ack | `[ack, error]` | the answer to the Data with this number; an empty `error` means that the receiver accepted it |
//! | 0x03 | – | | reserved |
//!
//! | element | form |
//! |---|---|
//! | `id` | the digest of the identity as its provider computes it, 32 bytes |
//! | `identity` | the identity, opaque here, at most 16 KiB |
//! | `binding` | the [channel binding](crate::Peer::channel_binding) of the connection, 32 bytes |
//! | `probe` | 1 if the sender only asks which identity answers, and then closes the connection; else 0 |
//! | `ack` | a number that the sender has not used before on this connection, or 0 |
//! | `nonce`, `tag` | 64 bits each for the upper layer: what the message belongs to, and its kind |
//! | `payload` | any bytes |
//! | `signature` | of an Establish: see below; of a Data: empty, or the author's signature of `"peermux/comm/1/envelope"`, nonce and tag as 8 big-endian bytes each, and the payload; at most 4 KiB |
//! | `error` | UTF-8, at most 1 KiB |
//!
//! The signature of an Establish covers
//!
//! ```text
//! "peermux/comm/1/establish" ‖ role ‖ probe ‖ dialler ‖ listener ‖ binding ‖ identity
//! ```
//!
//! where `role` is 0 if the signer dialled, and 1 if the signer listened. `role` and `probe` take
//! one byte each; `dialler` and `listener` are the 32-byte node ids of the two ends. So a proof is
//! valid for one connection, one direction and one pair of nodes: a relayed, replayed or reflected
//! proof fails.
//!
//! Each side sends its Establish without waiting for that of the other side. A malformed message or
//! a second Establish ends the connection with
//! [`BREACH_OF_PROTOCOL`](crate::DisconnectReason::BREACH_OF_PROTOCOL). If the remote proves no
//! identity, the connection ends with a matching reason, such as
//! [`UNEXPECTED_IDENTITY`](crate::DisconnectReason::UNEXPECTED_IDENTITY) for a wrong proof. An Ack
//! that no sender waits for is counted and otherwise ignored, since it may just be late.
//!
//! # One connection for each identity
//!
//! If an identity opens a second connection within 5 s of the first, both sides keep the connection
//! that the node with the larger id dialled. After that time, or if the same node dialled both
//! connections, the second replaces the first. But if the same node dialled both within 1 s, the
//! second is rejected. Messages in the queue of the losing connection move to the queue of the
//! connection that is kept, and count towards its bounds. The losing connection is read for another
//! second, so that messages which the remote still writes to it are not lost.
//!
//! Each message has exactly one outcome, which its [`Receipt`] returns: handed to the transport,
//! dropped before it was queued, or failed after it was queued.
//!
//! # Metrics
//!
//! With the feature `metrics`, the layer reports its counters through the `metrics` facade. The
//! names of these metrics begin with `peermux_comm_`; the chapter
//! [`guide::metrics`](crate::guide::metrics) lists them.

mod acks;
mod config;
mod conn_info;
mod connection;
mod connector;
mod demux;
mod error;
mod error_kind;
pub(crate) mod establish;
mod event;
mod feed;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handed;
mod handle;
mod identities;
mod identity;
mod memory;
pub(crate) mod message;
mod policy;
mod reader;
mod received;
mod result;
mod send_queue;
mod shared;
mod start;
mod stats;
mod table;
mod writer;

pub use config::Config;
pub use conn_info::ConnInfo;
pub use connector::{ConnectedPeer, Connector, RemotePeer};
pub use demux::{Demux, Overflow, Subscription, SubscriptionConfig};
pub use error::{CommError, CommStartError, ConnectionEnd};
pub use error_kind::CommErrorKind;
pub use establish::EstablishError;
pub use event::CommEvent;
pub use handle::Comm;
pub use identity::{
    IdentityError, IdentityLimits, IdentityProvider, IdentityRecord, Organisation, PeerId,
    Secp256k1Identity, Validity,
};
#[cfg(feature = "x509")]
pub use identity::{X509Error, X509Identity};
pub use message::Envelope;
pub use policy::AckPolicy;
pub use received::ReceivedMessage;
pub use result::{AggregatedSendResult, Delivery, Receipt, SendResult};
pub use start::CommProtocol;
pub use stats::CommStats;

/// The capability's name.
const NAME: &str = "comm";
/// The capability's version.
const VERSION: u64 = 1;

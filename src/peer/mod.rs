//! A connected peer: its handle, its protocols, its statistics, and how its connection ended.
//!
//! A subprotocol is a name, a version, a number of message codes and an async function. To register
//! a subprotocol, create a [`Protocol`] from a closure ([`Protocol::builder`] for raw messages,
//! [`Protocol::typed`] for typed ones) or from a type that implements [`ProtocolHandler`]. For each
//! peer that supports the same name and version, the function runs once, in its own task, with a
//! [`Peer`] and a [`ProtocolConn`](crate::ProtocolConn).
//!
//! Message codes are relative to the protocol: the library adds and removes the offset that
//! capability matching has assigned to the protocol on a connection.
//!
//! ```
//! use peermux::{Protocol, messages};
//!
//! messages! {
//!     /// The messages of a counter.
//!     pub enum Count, length = 2 {
//!         /// Add this to the counter.
//!         0x00 => Add { amount: u64 },
//!         /// The sum so far.
//!         0x01 => Sum(u64),
//!     }
//! }
//!
//! let protocol = Protocol::typed::<Count>("count", 1).run(|_peer, mut conn| async move {
//!     let mut sum = 0u64;
//!     while let Some(message) = conn.recv().await? {
//!         if let Count::Add { amount } = *message {
//!             sum = sum.wrapping_add(amount);
//!             conn.send(&Count::Sum(sum)).await?;
//!         }
//!     }
//!     Ok(())
//! });
//! assert_eq!(protocol.capability().to_string(), "count/1");
//! ```

mod config;
mod deadline;
mod definition;
mod error;
mod events;
mod handle;
mod handler;
#[cfg(feature = "serde")]
mod info;
mod judge;
mod liveness;
mod meters;
mod open_lane;
mod protocol_error;
mod protocol_info;
mod recording;
mod senders;
mod settled;
mod stats;

pub use config::PeerConfig;
pub use deadline::{SlowTransfer, TransferLimit};
pub use definition::{Protocol, ProtocolBuilder};
pub use error::{PeerError, PeerOutcome};
pub use events::{MessageEvent, PeerEvent, PeerEvents};
pub use handle::Peer;
pub use handler::ProtocolHandler;
#[cfg(feature = "serde")]
pub use info::{CapabilityInfo, LaneInfo, MemoryInfo, NodeInfo, PeerInfo};
pub use protocol_error::ProtocolError;
pub use protocol_info::ProtocolInfo;
#[cfg(feature = "metrics")]
pub(crate) use stats::Waiting;
pub use stats::{PeerStats, ProtocolStats};

pub(crate) use deadline::{Patience, Transfer};
pub(crate) use handle::{About, EndCause, EndRequest};
#[cfg(feature = "serde")]
pub(crate) use info::{micros, node_protocols};
pub(crate) use judge::Judge;
pub(crate) use liveness::{Action as LivenessAction, Liveness, PingLimiter};
pub(crate) use meters::{PeerMeter, count_round_trip, prepare_disconnects};
pub(crate) use open_lane::OpenLane;

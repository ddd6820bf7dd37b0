//! Registering subprotocols, and the typed channel that their handlers read and write.
//!
//! A subprotocol is a name, a version, a number of message codes and an async function. It is
//! registered as a [`Protocol`]: from a closure ([`Protocol::builder`] for raw messages,
//! [`Protocol::typed`] for typed ones) or from a type that implements [`Subprotocol`]. For each
//! peer that speaks the same name and version its function runs once, in a task of its own, with
//! a [`Peer`](crate::peer::Peer) and a [`ProtocolConn`].
//!
//! Message codes are relative to the protocol: the offset that capability matching assigned on a
//! connection is added and removed underneath.
//!
//! ```
//! use peermux::{Protocol, messages};
//!
//! messages! {
//!     /// What a counter says.
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

mod conn;
mod definition;
mod error;
#[doc(hidden)]
pub mod fields;
mod inbox;
mod limits;
mod macros;
mod message;
mod outlet;
mod received;
mod subprotocol;

pub use conn::{ProtocolConn, ProtocolReceiver, ProtocolSender};
pub use definition::{Protocol, ProtocolBuilder};
pub use error::{ProtocolError, SendError, TrySendError};
pub use limits::{ProtocolLimits, WhenFull};
pub use message::{Message, MessageError, WireMessage};
pub use received::Received;
pub use subprotocol::Subprotocol;

pub(crate) use inbox::{Charge, Inbox, InboxReader, PushError};
pub(crate) use outlet::Outlet;

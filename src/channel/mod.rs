//! The two ends of a protocol's traffic with one peer, with their bounds.
//!
//! A received message waits in its protocol's inbox; a message to be sent waits in its protocol's
//! lane of the write gate. [`ProtocolConn`] is what a handler sees of both.
//!
//! ```text
//!   read loop ──▶ inbox ──▶ ProtocolConn ──▶ lane ──▶ write gate ──▶ write loop
//! ```

mod budget;
mod conn;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod inbox;
mod limits;
mod meters;
mod received;
mod receiver;
mod sender;
mod tap;

pub use budget::{MemoryLimits, NodeBudget};
pub use conn::ProtocolConn;
pub use error::{SendError, TrySendError, WriteError};
pub use limits::{ProtocolLimits, WhenFull};
pub use received::Received;
pub use receiver::ProtocolReceiver;
pub use sender::ProtocolSender;

pub(crate) use budget::{EndAccount, MESSAGE_COST, OverBudget, PeerBudget};
pub(crate) use gate::{Batch, Flushed, Lane, LaneSettings, LaneSource, Next, WriteGate};
pub(crate) use inbox::{Inbox, PushError, Room};
pub(crate) use tap::{MessageTap, Observer, Traffic};

//! The bounded queues for a protocol's traffic with one peer, in both directions.
//!
//! A received message waits in its protocol's inbox; a message to be sent waits in its protocol's
//! lane of the write gate. A handler uses both through a [`ProtocolConn`].
//!
//! ```text
//!   read loop ──▶ inbox ──▶ ProtocolConn ──▶ lane ──▶ write gate ──▶ write loop
//! ```

mod budget;
mod class;
mod conn;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod inbox;
mod limits;
mod message_channel;
mod meters;
mod pace;
mod quota;
mod received;
mod receiver;
mod sender;
mod tap;

pub use budget::{MemoryLimits, NodeBudget};
pub use class::Class;
pub use conn::ProtocolConn;
pub use error::{SendError, TrySendError, WriteError};
pub use limits::{ProtocolLimits, WhenFull, WhenOver};
pub use message_channel::{MessageChannel, MessageSink, MessageSource};
pub use quota::Quota;
pub use received::Received;
pub use receiver::ProtocolReceiver;
pub use sender::ProtocolSender;

pub(crate) use budget::{
    EndAccount, MESSAGE_COST, OverBudget, PeerBudget, QueueCharge, SharedCharge,
};
pub(crate) use gate::{
    Batch, Flushed, Lane, LaneSettings, LaneSource, LaneStats, Next, NotQueued, Payload,
    SharedPayload, WeakLane, WriteGate,
};
pub(crate) use inbox::{Charge, Inbox, PushError, Room, WeakInbox};
pub use meters::Meters;
pub(crate) use pace::HoldObserver;
pub(crate) use tap::{MessageTap, Observer, Traffic};

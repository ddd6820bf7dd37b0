//! Running a connected peer.
//!
//! A [`PeerDriver`] is one connection at work. It supervises a read loop, a write loop, a ping
//! loop and one task per protocol that both sides speak; a [`Peer`] is the handle on it that
//! protocols and applications hold.
//!
//! ```text
//!            ┌───────────┐  one queue a protocol   ┌────────────┐
//!  socket ──▶│ read loop │────────────────────────▶│ protocol 1 │──┐
//!            │           │────────────────────────▶│ protocol 2 │──┤ one lane a protocol
//!            └─────┬─────┘                         └────────────┘  ▼
//!                  │ Pong                                   ┌────────────┐
//!                  └───────────────────────────────────────▶│ write gate │
//!            ┌───────────┐  Ping                            └─────┬──────┘
//!            │ ping loop │────────────────────────────────────────┤
//!            └───────────┘                            ┌────────────▼┐
//!  socket ◀───────────────────────────────────────────│ write loop  │
//!                                                     └─────────────┘
//! ```
//!
//! The first of these to end ends the peer, see [`PeerError`]: exactly one Disconnect goes out,
//! protocols get the grace period to return, and then everything is aborted.

mod budget;
mod busy_poll;
mod config;
mod deadline;
mod dispatch;
mod driver;
mod error;
mod events;
mod gate;
mod gather;
mod handle;
#[cfg(feature = "serde")]
mod info;
mod liveness;
mod meters;
mod read_loop;
mod supervise;
mod tap;
mod write_loop;

pub use budget::{MemoryLimits, NodeBudget};
pub use config::PeerConfig;
pub use deadline::{SlowTransfer, TransferLimit};
pub use driver::{PeerDriver, PeerOptions};
pub use error::{PeerError, PeerOutcome};
pub use events::{MessageEvent, PeerEvent, PeerEvents};
pub use handle::{Direction, Peer};
#[cfg(feature = "serde")]
pub use info::{NetworkInfo, NodeInfo, PeerInfo, Ports};

pub(crate) use budget::{OverBudget, PeerBudget};
pub(crate) use config::DISCONNECT_TIMEOUT;
pub(crate) use gate::Lane;
#[cfg(feature = "comm")]
pub(crate) use gate::Source;
#[cfg(feature = "serde")]
pub(crate) use info::node_protocols;
pub(crate) use tap::MessageTap;

//! Runs a connected peer.
//!
//! A [`PeerDriver`] runs one connection. It supervises a read loop, a write loop, a ping loop and
//! one task per shared protocol. Protocols and applications use the connection through a handle,
//! [`Peer`](crate::peer::Peer).
//!
//! ```text
//!            ┌───────────┐  one inbox per protocol ┌────────────┐
//!  socket ──▶│ read loop │────────────────────────▶│ protocol 1 │──┐
//!            │           │────────────────────────▶│ protocol 2 │──┤ one lane per protocol
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
//! The connection ends when the first of these tasks ends, see
//! [`PeerError`](crate::peer::PeerError). At most one Disconnect is sent, and protocols get the
//! grace period to return. Then all remaining tasks are aborted.

mod attached;
mod busy_poll;
mod dispatch;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod driver;
mod gather;
mod options;
mod pause;
mod read_loop;
mod supervise;
mod write_loop;

use std::time::Duration;

pub use driver::PeerDriver;
pub use options::PeerOptions;

/// After this time without traffic, a direction of a connection frees its buffers.
const SILENCE: Duration = Duration::from_secs(5);

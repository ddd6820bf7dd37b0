//! Runs a connected peer.
//!
//! A [`PeerDriver`] runs one connection. It supervises a read loop, a write loop, a ping loop and
//! one task per shared protocol. A [`Peer`](crate::peer::Peer) is the handle to it for protocols
//! and applications.
//!
//! ```text
//!            ┌───────────┐  one inbox a protocol   ┌────────────┐
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
//! The first of these to end also ends the peer, see [`PeerError`](crate::peer::PeerError). Exactly
//! one Disconnect is sent, protocols get the grace period to return, and then everything is
//! aborted.

mod attached;
mod busy_poll;
mod dispatch;
#[expect(clippy::module_inception, reason = "the file of the type")]
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

/// Silence after which a direction of a connection frees its buffers.
const SILENCE: Duration = Duration::from_secs(5);

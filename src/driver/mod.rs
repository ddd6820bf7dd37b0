//! Running a connected peer.
//!
//! A [`PeerDriver`] is one connection at work. It supervises a read loop, a write loop, a ping
//! loop and one task per protocol that both sides speak; a [`Peer`](crate::peer::Peer) is the handle
//! on it that protocols and applications hold.
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
//! The first of these to end ends the peer, see [`PeerError`](crate::peer::PeerError): exactly one
//! Disconnect goes out, protocols get the grace period to return, and then everything is aborted.

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

/// How long a direction of a connection is silent before it gives its buffers back.
const SILENCE: Duration = Duration::from_secs(5);

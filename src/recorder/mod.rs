//! The flight recorder of a peer: what crossed its connection last and what was decided, never a payload.
//!
//! Each connection has one, in a bounded ring: the last [`CAPACITY`](Recording::CAPACITY) entries of 24
//! bytes, which take memory as they come. [`Peer::recording`](crate::Peer::recording) copies it, and a
//! server keeps those of the peers that ended last, see
//! [`Server::recording`](crate::Server::recording). [`PeerConfig::with_recording`](crate::PeerConfig::with_recording)
//! switches it off.
//!
//! The loops that read and write a connection note what they do by themselves, and hand it over once for
//! all that was read or written at a time, so that nobody waits for a lock for each message.
//!
//! ```
//! use peermux::recorder::RecordedEvent;
//! use peermux::{Message, Protocol, testing};
//!
//! # tokio_test::block_on(async {
//! let greets = Protocol::builder("greet", 1, 1).run(|peer, conn| async move {
//!     conn.send(&Message::new(0, "hello")).await?;
//!     peer.ending().await;
//!     Ok(())
//! });
//! let listens = Protocol::builder("greet", 1, 1).run(|_, mut conn| async move {
//!     conn.recv().await?;
//!     Ok(())
//! });
//! let connected = testing::connect(greets, listens).await.expect("connects");
//! connected.right.ended().await;
//! let recording = connected.right.recording();
//! let first = recording.entries().next().expect("an entry");
//! assert!(matches!(first.event, RecordedEvent::Received { code: 0, size: 5, .. }));
//! assert_eq!(recording.end().expect("ended").error, "protocol greet/1 returned");
//! println!("{recording}");
//! # });
//! ```

mod event;
#[cfg(feature = "serde")]
mod json;
mod live;
mod packed;
mod recording;
mod ring;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use event::{DropCause, EndedBy, PauseCause, RecordedEnd, RecordedEntry, RecordedEvent};
pub use recording::Recording;

pub(crate) use live::{Notes, Recorder};
pub(crate) use recording::Recorded;
pub(crate) use ring::PingNote;

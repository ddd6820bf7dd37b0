//! The flight recorder of a peer: its latest messages and decisions, without payloads.
//!
//! Each connection has a bounded ring of the last [`CAPACITY`](Recording::CAPACITY) entries of 24
//! bytes. The ring allocates memory as entries are added.
//! [`Peer::recording`](crate::Peer::recording) copies the ring. A server keeps the recordings of
//! the connections that ended last; see [`Server::recording`](crate::Server::recording).
//! [`PeerConfig::with_recording`](crate::PeerConfig::with_recording) switches the recorder off.
//!
//! The read and write loops of a connection collect their own entries. A loop hands its entries
//! over once for everything that one call has read or written, so that it does not take a lock for
//! each message.
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
mod hold;
#[cfg(feature = "serde")]
mod json;
mod live;
mod packed;
mod recording;
mod ring;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use event::{
    DropCause, EndedBy, HoldCause, PauseCause, RecordedEnd, RecordedEntry, RecordedEvent,
};
pub use recording::Recording;

pub(crate) use hold::Hold;
pub(crate) use live::{Notes, Recorder};
pub(crate) use recording::Recorded;
pub(crate) use ring::PingNote;

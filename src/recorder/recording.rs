//! Copies of the entries of recorders.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::live::Recorder;
use super::packed::{Packed, micros};
use super::ring::CAPACITY;
use super::{RecordedEnd, RecordedEntry};
use crate::node::NodeId;
use crate::p2p::Capability;
use crate::setup::Direction;

/// A copy of a peer's [recorder](super) at one point in time.
///
/// A recording is cheap to clone. Its [`Display`](std::fmt::Display) is a table: the peer, how its
/// connection ended, and a line for each entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    peer: Arc<Recorded>,
    forgotten: u64,
    entries: Arc<[Packed]>,
}

/// The peer of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) node_id: NodeId,
    pub(crate) client: String,
    pub(crate) direction: Direction,
    pub(crate) addr: Option<SocketAddr>,
    pub(crate) protocols: Vec<Capability>,
    pub(crate) connected_at: SystemTime,
    pub(crate) lifetime: Duration,
    pub(crate) end: Option<RecordedEnd>,
}

impl Recording {
    /// The maximum number of entries of a peer.
    pub const CAPACITY: usize = CAPACITY;

    /// Copies the entries of a recorder.
    pub(crate) fn of(recorder: &Recorder, peer: Recorded) -> Self {
        let (entries, forgotten) = recorder.snapshot();
        Self {
            peer: Arc::new(peer),
            forgotten,
            entries: entries.into(),
        }
    }

    /// Creates a recording of these entries. If there are too many, it contains the last ones.
    #[cfg(any(test, feature = "serde"))]
    pub(super) fn from_entries(
        peer: Recorded,
        forgotten: u64,
        entries: impl IntoIterator<Item = RecordedEntry>,
    ) -> Self {
        let mut ring = super::ring::Ring::default();
        for entry in entries {
            ring.extend(&[Packed::from(entry)]);
        }
        let (entries, more) = ring.snapshot();
        Self {
            peer: Arc::new(peer),
            forgotten: forgotten.saturating_add(more),
            entries: entries.into(),
        }
    }

    /// The remote's node id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.peer.node_id
    }

    /// The remote's client name, like [`Peer::full_name`](crate::Peer::full_name).
    #[must_use]
    pub fn client(&self) -> &str {
        &self.peer.client
    }

    /// The direction of the connection.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.peer.direction
    }

    /// The remote address of the connection, if its transport has one.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.peer.addr
    }

    /// The protocols that the connection ran, in the order of their message codes.
    ///
    /// An entry refers to a protocol by its index here.
    #[must_use]
    pub fn protocols(&self) -> &[Capability] {
        &self.peer.protocols
    }

    /// When the peer connected, by the machine's clock.
    #[must_use]
    pub fn connected_at(&self) -> SystemTime {
        self.peer.connected_at
    }

    /// How long the peer was connected until its end, or until this copy was made.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.peer.lifetime
    }

    /// How the connection ended; `None` if it had not ended.
    #[must_use]
    pub fn end(&self) -> Option<&RecordedEnd> {
        self.peer.end.as_ref()
    }

    /// How many entries before the first one here were discarded or left out.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries, for example because recording is switched off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order of their times.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = RecordedEntry> + '_ {
        self.entries.iter().map(Packed::entry)
    }

    /// Returns only the entries of the last `time` of the peer's [lifetime](Self::lifetime).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let peer = peermux::testing::peer("someone/v1", vec![]);
    /// let last_minute = peer.recording().last(Duration::from_secs(60));
    /// assert!(last_minute.is_empty());
    /// ```
    #[must_use]
    pub fn last(&self, time: Duration) -> Self {
        let from = micros(self.lifetime().saturating_sub(time));
        let before = self.entries.partition_point(|entry| entry.at() < from);
        Self {
            peer: Arc::clone(&self.peer),
            forgotten: self.forgotten.saturating_add(before as u64),
            entries: self.entries.get(before..).unwrap_or_default().into(),
        }
    }

    #[cfg(feature = "serde")]
    pub(super) fn peer(&self) -> &Recorded {
        &self.peer
    }
}

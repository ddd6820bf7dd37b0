//! A summary of a peer whose connection has ended.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use peermux::NodeId;
use peermux::recorder::{RecordedEnd, Recording};
use serde::{Deserialize, Serialize};

use crate::output::millis;

/// The recording of a peer, without the entries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndedPeer {
    pub(crate) node_id: NodeId,
    pub(crate) client: String,
    pub(crate) direction: String,
    pub(crate) addr: Option<SocketAddr>,
    /// When the connection began, in milliseconds since 1970.
    pub(crate) connected_at_ms: u64,
    pub(crate) connected_ms: u64,
    pub(crate) end: Option<RecordedEnd>,
    pub(crate) entries: usize,
}

impl EndedPeer {
    pub(super) fn of(recording: &Recording) -> Self {
        let connected_at = recording.connected_at();
        let since = connected_at.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            node_id: recording.node_id(),
            client: recording.client().to_owned(),
            direction: recording.direction().as_str().to_owned(),
            addr: recording.remote_addr(),
            connected_at_ms: millis(since.unwrap_or_default()),
            connected_ms: millis(recording.lifetime()),
            end: recording.end().cloned(),
            entries: recording.len(),
        }
    }

    /// Returns when the connection ended, as the time since 1970.
    pub(crate) fn ended_at(&self) -> Duration {
        Duration::from_millis(self.connected_at_ms.saturating_add(self.connected_ms))
    }
}

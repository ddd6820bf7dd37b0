//! Counters of peers.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `peermux_peers` | gauge | `direction` |
//! | `peermux_disconnects_total` | counter | `reason`, `side` (`local`, `remote`, `io`) |

use super::PeerError;
use crate::fault::Fault;
use crate::metric::{Level, counter, gauge};
use crate::setup::Direction;

/// Counts a peer for as long as it is connected.
pub(crate) struct PeerMeter {
    _connected: Level,
}

impl PeerMeter {
    pub(crate) fn new(direction: Direction) -> Self {
        let gauge = gauge!("peermux_peers", "direction" => direction.as_str());
        Self {
            _connected: Level::raise(gauge),
        }
    }

    pub(crate) fn ended(&self, error: &PeerError) {
        let reason = error
            .reason()
            .map_or_else(|| "none".to_owned(), |r| r.to_string());
        let side = match (error.remote_requested(), error.fault()) {
            (true, _) => "remote",
            (false, Fault::Io) => "io",
            (false, _) => "local",
        };
        counter!("peermux_disconnects_total", "reason" => reason, "side" => side).increment(1);
    }
}

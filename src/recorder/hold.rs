//! Waits for quotas, and the entries that several waits may share.

use std::time::Duration;

use super::packed::Packed;
use super::{HoldCause, RecordedEvent};

/// How many of the latest entries are searched for one to extend.
///
/// Thanks to this search, waits take few entries of the ring, even if other entries follow each
/// wait.
pub(super) const NEAR: usize = 64;

/// The maximum age of an entry that a new wait extends.
const RECENT: Duration = Duration::from_secs(10);

/// One message that a quota held back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hold {
    pub(crate) protocol: u16,
    pub(crate) cause: HoldCause,
    /// How long the message waited.
    pub(crate) time: Duration,
}

impl Hold {
    /// Returns an entry for this wait alone, which ended at `micros`.
    pub(super) fn alone(self, micros: u64) -> Packed {
        let Self {
            protocol,
            cause,
            time,
        } = self;
        let mut entry = Packed::new(RecordedEvent::Held {
            protocol,
            cause,
            messages: 1,
            total: time,
            longest: time,
        });
        entry.stamp(micros);
        entry
    }

    /// Whether `entry` records waits for the same quota and is still recent at `micros`.
    pub(super) fn follows(self, entry: &Packed, micros: u64) -> bool {
        let age = Duration::from_micros(micros.saturating_sub(entry.at()));
        entry.is_held(self.protocol, self.cause) && age <= RECENT
    }

    /// Returns an earlier entry with this wait added; `None` if the entry's counter is full.
    pub(super) fn added_to(self, earlier: &Packed, micros: u64) -> Option<Packed> {
        let RecordedEvent::Held {
            protocol,
            cause,
            messages,
            total,
            longest,
        } = earlier.entry().event
        else {
            return None;
        };
        let mut entry = Packed::new(RecordedEvent::Held {
            protocol,
            cause,
            messages: messages.checked_add(1)?,
            total: total.saturating_add(self.time),
            longest: longest.max(self.time),
        });
        entry.stamp(micros.max(earlier.at()));
        Some(entry)
    }
}

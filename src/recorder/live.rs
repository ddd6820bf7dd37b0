//! The recorder of an open connection.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::RecordedEvent;
use super::hold::Hold;
use super::packed::{Packed, micros};
use super::ring::{PingNote, Ring};
use crate::calendar;
use crate::mutex::Mutex;

/// A loop hands over its notes after at most this many entries.
const NOTES: usize = 64;

/// Records what happens on one connection.
#[derive(Debug)]
pub(crate) struct Recorder {
    since: Instant,
    connected_at: SystemTime,
    /// `None` if recording is switched off.
    ring: Option<Mutex<Ring>>,
}

impl Recorder {
    /// Returns a recorder that counts time from `since`, which is now.
    pub(crate) fn new(since: Instant, on: bool) -> Arc<Self> {
        Arc::new(Self {
            since,
            connected_at: calendar::wall(),
            ring: on.then(Mutex::default),
        })
    }

    pub(crate) fn record(&self, at: Instant, event: RecordedEvent) {
        if let Some(ring) = &self.ring {
            let mut entry = Packed::new(event);
            entry.stamp(self.micros(at));
            ring.lock().extend(&[entry]);
        }
    }

    pub(crate) fn ping(&self, at: Instant, note: PingNote) {
        if let Some(ring) = &self.ring {
            ring.lock().ping(self.micros(at), note);
        }
    }

    /// Records a wait for a quota that ended at `at`.
    pub(crate) fn held(&self, at: Instant, hold: Hold) {
        if let Some(ring) = &self.ring {
            ring.lock().held(self.micros(at), hold);
        }
    }

    /// When the peer connected, by the machine's clock.
    pub(crate) fn connected_at(&self) -> SystemTime {
        self.connected_at
    }

    /// Returns the entries, and the number of earlier entries that were discarded.
    pub(super) fn snapshot(&self) -> (Vec<Packed>, u64) {
        let ring = self.ring.as_ref();
        ring.map(|ring| ring.lock().snapshot()).unwrap_or_default()
    }

    fn micros(&self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.since))
    }
}

/// The entries that one loop of a connection has not yet handed over. The loop hands them over
/// before each wait, so that a recording is complete.
#[derive(Debug)]
pub(crate) struct Notes {
    recorder: Arc<Recorder>,
    noted: Vec<Packed>,
}

impl Notes {
    pub(crate) fn new(recorder: &Arc<Recorder>) -> Self {
        Self {
            recorder: Arc::clone(recorder),
            noted: Vec::new(),
        }
    }

    /// Notes an event that occurs at `at`. An entry gets the time of its hand-over, so all entries
    /// that are handed over together have the same time.
    pub(crate) fn note(&mut self, at: Instant, event: impl FnOnce() -> RecordedEvent) {
        if self.recorder.ring.is_none() {
            return;
        }
        self.noted.push(Packed::new(event()));
        if self.noted.len() >= NOTES {
            self.hand_over(at);
        }
    }

    /// Hands over all notes, with the time `at`.
    pub(crate) fn hand_over(&mut self, at: Instant) {
        let Some(ring) = self
            .recorder
            .ring
            .as_ref()
            .filter(|_| !self.noted.is_empty())
        else {
            return;
        };
        let micros = self.recorder.micros(at);
        for entry in &mut self.noted {
            entry.stamp(micros);
        }
        ring.lock().extend(&self.noted);
        self.noted.clear();
    }

    /// Records a Ping at the time `at`, after handing over the notes.
    pub(crate) fn ping(&mut self, at: Instant, note: PingNote) {
        self.hand_over(at);
        self.recorder.ping(at, note);
    }

    /// Frees the memory for notes if there are none.
    pub(crate) fn shrink(&mut self) {
        if self.noted.is_empty() {
            self.noted = Vec::new();
        }
    }
}

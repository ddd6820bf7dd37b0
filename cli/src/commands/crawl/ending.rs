//! Decides when no new node can be found.
//!
//! A walk is the series of lookups by one version of discovery.

use std::time::Duration;

use peermux_cli::node_file::Source;
use tokio::time::Instant;

/// The number of successive lookups without a new node after which a walk ends.
const QUIET: u32 = 16;

/// The time without an answer after which a walk ends.
///
/// The time is enough to ask a silent node twice.
const SILENCE: Duration = Duration::from_secs(15);

/// Watches the sources of nodes to decide when a crawl is complete.
#[derive(Debug)]
pub(super) struct Ending {
    /// The walk of each version of discovery.
    ///
    /// There is a walk for each version, because one version may quickly repeat known nodes while the other
    /// still finds new ones.
    walks: Vec<Walk>,
    /// The number of lists in the DNS that are still being read.
    lists: usize,
}

#[derive(Debug)]
struct Walk {
    version: Source,
    quiet: u32,
    answered: Instant,
}

impl Ending {
    pub(super) fn new(versions: &[Source], lists: usize, now: Instant) -> Self {
        let walks = versions.iter().map(|version| Walk {
            version: *version,
            quiet: 0,
            answered: now,
        });
        let walks = walks.collect();
        Self { walks, lists }
    }

    /// Notes that a new node was found.
    pub(super) fn found(&mut self) {
        for walk in &mut self.walks {
            walk.quiet = 0;
        }
    }

    /// Notes that a lookup has ended, and whether any node answered.
    pub(super) fn looked_up(&mut self, version: Source, answered: bool, now: Instant) {
        let walk = self.walks.iter_mut().find(|walk| walk.version == version);
        if let Some(walk) = walk.filter(|_| answered) {
            walk.quiet = walk.quiet.saturating_add(1);
            walk.answered = now;
        }
    }

    /// Notes that a list was read, or cannot be read.
    pub(super) fn list_read(&mut self) {
        self.lists = self.lists.saturating_sub(1);
    }

    /// Returns whether all sources are exhausted.
    pub(super) fn is_reached(&self, now: Instant) -> bool {
        self.lists == 0 && self.walks.iter().all(|walk| walk.is_over(now))
    }
}

impl Walk {
    fn is_over(&self, now: Instant) -> bool {
        let silence = now.saturating_duration_since(self.answered);
        self.quiet >= QUIET || silence >= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_walk_is_over_when_it_brings_nobody_new() {
        let now = Instant::now();
        let mut ending = Ending::new(&[Source::V4, Source::V5], 1, now);
        let quiet = |ending: &mut Ending, version| {
            for _ in 0..QUIET {
                assert!(!ending.is_reached(now));
                ending.looked_up(version, true, now);
            }
        };
        quiet(&mut ending, Source::V5);
        quiet(&mut ending, Source::V4);
        assert!(!ending.is_reached(now), "a list is being read");
        ending.list_read();
        assert!(ending.is_reached(now));
        ending.found();
        quiet(&mut ending, Source::V4);
        quiet(&mut ending, Source::V5);
        assert!(ending.is_reached(now));
    }

    #[tokio::test(start_paused = true)]
    async fn and_when_nobody_answers() {
        let now = Instant::now();
        let mut ending = Ending::new(&[Source::V4], 0, now);
        ending.looked_up(Source::V4, false, now);
        assert!(!ending.is_reached(now));
        assert!(ending.is_reached(now + SILENCE));
        assert!(Ending::new(&[], 0, now).is_reached(now));
    }
}

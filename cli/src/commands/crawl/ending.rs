//! When there is nobody left to find.

use std::time::Duration;

use peermux_cli::node_file::Source;
use tokio::time::Instant;

/// After this many lookups in a row that brought nobody new a walk is over.
const QUIET: u32 = 16;

/// And after this time without any answer, in which who does not answer is asked twice.
const SILENCE: Duration = Duration::from_secs(15);

/// Watches what sources of nodes bring.
#[derive(Debug)]
pub(super) struct Ending {
    /// The versions of discovery that walk, each for itself: one may answer fast what it has answered
    /// before, while the other one still finds new nodes.
    walks: Vec<Walk>,
    /// How many lists in the DNS are still read.
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

    /// Somebody new was found.
    pub(super) fn found(&mut self) {
        for walk in &mut self.walks {
            walk.quiet = 0;
        }
    }

    /// A lookup of a version has ended, with an answer or without.
    pub(super) fn looked_up(&mut self, version: Source, answered: bool, now: Instant) {
        let walk = self.walks.iter_mut().find(|walk| walk.version == version);
        if let Some(walk) = walk.filter(|_| answered) {
            walk.quiet = walk.quiet.saturating_add(1);
            walk.answered = now;
        }
    }

    /// A list was read to its end, or cannot be read.
    pub(super) fn list_read(&mut self) {
        self.lists = self.lists.saturating_sub(1);
    }

    /// Whether the sources bring nobody any more.
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
        assert!(!ending.is_reached(now), "a list is read");
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

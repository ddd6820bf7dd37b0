//! A line on a terminal that says how far the crawl is.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::plan::Counts;
use crate::lines::Lines;

/// Back to the beginning of the line, and the rest of it emptied.
const AGAIN: &str = "\r\u{1b}[K";

/// The line, if somebody is there to see it.
#[derive(Debug)]
pub(super) struct Progress(Option<Lines>);

impl Progress {
    /// Nothing is shown to programs.
    pub(super) fn start(is_for_programs: bool) -> Self {
        if is_for_programs || !io::stderr().is_terminal() {
            return Self(None);
        }
        // Nobody misses one that finds no room.
        let lines = Lines::start(io::stderr(), |_| String::new(), CancellationToken::new());
        Self(lines.ok())
    }

    pub(super) fn show(&self, counts: Counts, elapsed: Duration) {
        if let Some(lines) = &self.0 {
            lines.push(format!("{AGAIN}{}", text(counts, elapsed)));
        }
    }

    /// Leaves an empty line.
    pub(super) async fn end(self) {
        if let Some(lines) = self.0 {
            lines.push(AGAIN.to_owned());
            // A terminal that is stopped is not waited for.
            let _ = tokio::time::timeout(Duration::from_secs(1), lines.written()).await;
        }
    }
}

fn text(counts: Counts, elapsed: Duration) -> String {
    let Counts {
        known,
        met,
        not_met,
        running,
    } = counts;
    let seconds = elapsed.as_secs();
    format!("{seconds} s, nodes: {known} known, {met} met, {not_met} not met, {running} under way")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_it_is() {
        let counts = Counts {
            known: 12,
            met: 3,
            not_met: 4,
            running: 2,
        };
        let wanted = "7 s, nodes: 12 known, 3 met, 4 not met, 2 under way";
        assert_eq!(text(counts, Duration::from_millis(7900)), wanted);
    }
}

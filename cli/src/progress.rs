//! A line on a terminal that says how far something is.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::lines::Lines;

/// Back to the beginning of the line, and the rest of it emptied.
const AGAIN: &str = "\r\u{1b}[K";

/// How often the line changes.
pub(crate) const SHOWN: Duration = Duration::from_secs(1);

/// The line, if somebody is there to see it.
#[derive(Debug)]
pub(crate) struct Progress(Option<Lines>);

impl Progress {
    /// Nothing is shown to programs.
    pub(crate) fn start(is_for_programs: bool) -> Self {
        if is_for_programs || !io::stderr().is_terminal() {
            return Self(None);
        }
        // Nobody misses one that finds no room.
        let lines = Lines::start(io::stderr(), |_| String::new(), CancellationToken::new());
        Self(lines.ok())
    }

    pub(crate) fn show(&self, text: &str) {
        if let Some(lines) = &self.0 {
            lines.push(format!("{AGAIN}{text}"));
        }
    }

    /// Leaves an empty line.
    pub(crate) async fn end(self) {
        if let Some(lines) = self.0 {
            lines.push(AGAIN.to_owned());
            // A terminal that is stopped is not waited for.
            let _ = timeout(SHOWN, lines.written()).await;
        }
    }

    /// Shows the text of each second while something goes on that takes longer.
    pub(crate) async fn during<T>(
        self,
        work: impl Future<Output = T>,
        text: impl Fn() -> String,
    ) -> T {
        if self.0.is_none() {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        let mut turns = interval_at(Instant::now() + SHOWN, SHOWN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let done = loop {
            tokio::select! {
                // The work is not held up by what is told of it.
                biased;
                done = &mut work => break done,
                _ = turns.tick() => self.show(&text()),
            }
        };
        self.end().await;
        done
    }
}

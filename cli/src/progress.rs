//! A line on a terminal that shows the progress of a command.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::lines::Lines;

/// Returns to the beginning of the line, and clears it.
const AGAIN: &str = "\r\u{1b}[K";

/// The time between two updates.
pub(crate) const SHOWN: Duration = Duration::from_secs(1);

/// The line, if standard error is a terminal.
#[derive(Debug)]
pub(crate) struct Progress(Option<Lines>);

impl Progress {
    /// Starts the line, unless the output is for programs.
    pub(crate) fn start(is_for_programs: bool) -> Self {
        if is_for_programs || !io::stderr().is_terminal() {
            return Self(None);
        }
        // Lost updates are not reported.
        let lines = Lines::start(io::stderr(), |_| String::new(), CancellationToken::new());
        Self(lines.ok())
    }

    pub(crate) fn show(&self, text: &str) {
        if let Some(lines) = &self.0 {
            lines.push(format!("{AGAIN}{text}"));
        }
    }

    /// Clears the line.
    pub(crate) async fn end(self) {
        if let Some(lines) = self.0 {
            lines.push(AGAIN.to_owned());
            // A stopped terminal must not hold up the command.
            let _ = timeout(SHOWN, lines.written()).await;
        }
    }

    /// Shows a new text each second until the work ends.
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
                // Poll the work first, so that updates do not delay it.
                biased;
                done = &mut work => break done,
                _ = turns.tick() => self.show(&text()),
            }
        };
        self.end().await;
        done
    }
}

//! Limits the printing of inbound connections that did not become peers.

use std::time::Duration;

use tokio::time::Instant;

/// How many connections are printed in a [`WINDOW`].
const MOST: u32 = 10;

const WINDOW: Duration = Duration::from_secs(10);

/// Limits how many connections are printed, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Option<Instant>,
    printed: u32,
    left_out: u64,
}

impl Refusals {
    /// Decides whether to print a connection. If so, returns how many were left out before it.
    pub(super) fn next(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            (self.since, self.printed) = (Some(now), 0);
        }
        if self.printed >= MOST {
            self.left_out += 1;
            return None;
        }
        self.printed += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_a_few_are_printed_and_the_others_counted() {
        let (start, mut refusals) = (Instant::now(), Refusals::default());
        assert!((0..MOST).all(|_| refusals.next(start) == Some(0)));
        assert!((0..5).all(|_| refusals.next(start).is_none()));
        assert_eq!(refusals.next(start + WINDOW), Some(5));
        assert_eq!(refusals.next(start + WINDOW), Some(0));
    }
}

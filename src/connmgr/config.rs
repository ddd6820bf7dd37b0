use std::time::Duration;

use super::backoff::Backoff;
use super::error::ConfigError;
use super::token_bucket::Rate;

/// How a connection manager behaves.
#[derive(Debug, Clone)]
pub struct ConnConfig {
    pub(super) target: usize,
    pub(super) max_requests: usize,
    pub(super) max_dials: usize,
    pub(super) dial_timeout: Duration,
    pub(super) dial_rate: Rate,
    pub(super) min_gap: Duration,
    pub(super) backoff: Backoff,
    pub(super) offline_after: u32,
    pub(super) stable_after: Duration,
    pub(super) drain: Duration,
    pub(super) events: usize,
    pub(super) keep_running: bool,
}

impl Default for ConnConfig {
    fn default() -> Self {
        Self {
            target: 8,
            max_requests: 1 << 16,
            max_dials: 50,
            dial_timeout: Duration::from_secs(30),
            dial_rate: Rate::new(8, 2),
            min_gap: Duration::from_secs(35),
            backoff: Backoff::default(),
            offline_after: 25,
            stable_after: Duration::from_secs(60),
            drain: Duration::from_secs(5),
            events: 256,
            keep_running: false,
        }
    }
}

impl ConnConfig {
    /// How many automatic connections to hold; 8 by default, 0 is none. Permanent and one-shot
    /// ones are additional. Without an address source there are none.
    #[must_use]
    pub fn with_target(mut self, connections: usize) -> Self {
        self.target = connections;
        self
    }

    /// How many permanent and one-shot requests there may be; 65,536 by default.
    #[must_use]
    pub fn with_max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// How many dials may be in flight; 50 by default.
    #[must_use]
    pub fn with_max_dials(mut self, dials: usize) -> Self {
        self.max_dials = dials;
        self
    }

    /// How long a dial may take; 30 s by default.
    #[must_use]
    pub fn with_dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial_timeout = timeout;
        self
    }

    /// How fast automatic dials may start; by default 8 at once, then 2 a second.
    #[must_use]
    pub fn with_dial_rate(mut self, rate: Rate) -> Self {
        self.dial_rate = rate;
        self
    }

    /// The least time between the starts of two dials of one address or node, of which the second
    /// is automatic; 35 s by default, because many nodes turn away who comes back within 30 s.
    #[must_use]
    pub fn with_min_gap(mut self, gap: Duration) -> Self {
        self.min_gap = gap;
        self
    }

    /// How long automatic dialling waits while offline or without an address, and how long an
    /// automatic or one-shot request waits that is [forced](super::Reconnect::Force) to reconnect; by
    /// default 5 s, doubling to 5 min.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// After how many failed automatic dials in a row the network counts as down; 25 by default.
    /// Then one dial at a time probes it, with growing waits in between.
    #[must_use]
    pub fn with_offline_after(mut self, failures: u32) -> Self {
        self.offline_after = failures.max(1);
        self
    }

    /// How old a connection must be to count as good even if its owner never called it ready;
    /// 60 s by default. A good connection's end resets the waits.
    #[must_use]
    pub fn with_stable_after(mut self, age: Duration) -> Self {
        self.stable_after = age;
        self
    }

    /// How long owners get to end their connections when the manager stops; 5 s by default. What
    /// is left then is forgotten.
    #[must_use]
    pub fn with_drain(mut self, deadline: Duration) -> Self {
        self.drain = deadline;
        self
    }

    /// How many unread events stop dialling and accepting; 256 by default. At most one more per
    /// open connection, and two per dial that may be in flight, are held beyond that.
    #[must_use]
    pub fn with_event_capacity(mut self, events: usize) -> Self {
        self.events = events;
        self
    }

    /// Whether the manager goes on when all its handles are dropped; by default it stops then.
    #[must_use]
    pub fn with_keep_running(mut self, keep_running: bool) -> Self {
        self.keep_running = keep_running;
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_dials == 0 {
            Err(ConfigError::NoDials)
        } else if self.events == 0 {
            Err(ConfigError::NoEvents)
        } else if self.dial_timeout.is_zero() {
            Err(ConfigError::NoDialTime)
        } else {
            Ok(())
        }
    }
}

use std::time::Duration;

use super::backoff::Backoff;
use super::token_bucket::Rate;
use crate::settings::{TooSmall, settings};

settings! {
    /// How a connection manager behaves.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ConnConfig {
        /// How many automatic connections to hold; 0 is none. Permanent and one-shot ones are
        /// additional. Without an address source there are none. Default: 8.
        target / with_target: usize = 8;
        /// How many permanent and one-shot requests there may be. Default: 65,536.
        max_requests / with_max_requests: usize = 1 << 16;
        /// How many dials may be in flight; at least 1. Default: 50.
        max_dials / with_max_dials: usize = 50;
        /// How long a dial may take; more than nothing. Default: 30 s.
        dial_timeout / with_dial_timeout: Duration = Duration::from_secs(30);
        /// How fast automatic dials may start. Default: 8 at once, then 2 a second.
        dial_rate / with_dial_rate: Rate = Rate::new(8, 2);
        /// The least time between the starts of two dials of one address or node, of which the
        /// second is automatic. Default: 35 s, because many nodes refuse a node that comes back
        /// within 30 s.
        redial_gap / with_redial_gap: Duration = Duration::from_secs(35);
        /// How long automatic dialling waits while the network is down, or while no address is
        /// known. An automatic or one-shot request that is [forced](super::Reconnect::Force) to
        /// reconnect waits so too; a permanent one has its [own](super::RetryPolicy). Default: 5 s,
        /// doubling to 5 min.
        backoff / with_backoff: Backoff = Backoff::default();
        /// After how many failed automatic dials in a row the network counts as down; 0 counts
        /// as 1. Then one dial at a time probes it, with growing waits in between. Each
        /// [family](super::Family) of addresses that was dialled must have failed as often, and nothing may
        /// be connected. Default: 25.
        offline_after / with_offline_after: u32 = 25, |failures: u32| failures.max(1);
        /// How old a connection must be to count as good even if its owner never called it ready.
        /// A good connection's end resets the waits. Default: 60 s.
        stable_after / with_stable_after: Duration = Duration::from_secs(60);
        /// How long owners get to end their connections when the manager stops. What is left then
        /// is forgotten. Default: 5 s.
        drain / with_drain: Duration = Duration::from_secs(5);
        /// From how many unread events on nothing is dialled or accepted; at least 1. No event is
        /// lost: what is under way then may add one event for each open connection, and two for
        /// each dial in flight. Default: 256.
        max_unread_events / with_max_unread_events: usize = 256;
        /// Whether the manager goes on when all its handles are dropped. Default: it stops then.
        keep_running / with_keep_running: bool = false;
    }
}

impl ConnConfig {
    pub(super) fn check(&self) -> Result<(), TooSmall> {
        TooSmall::check("max_dials", self.max_dials, 1)?;
        TooSmall::check("max_unread_events", self.max_unread_events, 1)?;
        TooSmall::check("dial_timeout", self.dial_timeout, Duration::from_nanos(1))
    }
}

use std::time::Duration;

use super::backoff::Backoff;
use super::token_bucket::Rate;
use crate::settings::{TooSmall, settings};

settings! {
    /// The settings of a connection manager.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ConnConfig {
        /// Number of automatic connections to hold; 0 disables them.
        ///
        /// Permanent and one-shot connections do not count towards this number. Without an address
        /// source there are no automatic connections. Default: 8.
        target / with_target: usize = 8;
        /// Maximum number of permanent and one-shot requests. Default: 65,536.
        max_requests / with_max_requests: usize = 1 << 16;
        /// Maximum number of dials in flight; at least 1. Default: 50.
        max_dials / with_max_dials: usize = 50;
        /// Maximum duration of a dial; more than zero. Default: 30 s.
        dial_timeout / with_dial_timeout: Duration = Duration::from_secs(30);
        /// Rate at which automatic dials start. Default: 8 at once, then 2 a second.
        dial_rate / with_dial_rate: Rate = Rate::new(8, 2);
        /// Minimum time from a dial to an automatic dial of the same address or node.
        ///
        /// This time is measured between the starts of the dials. Default: 35 s, because many nodes
        /// refuse a node that returns within 30 s.
        redial_gap / with_redial_gap: Duration = Duration::from_secs(35);
        /// Wait between automatic dials while the network is down or no address is known.
        ///
        /// An automatic or one-shot request that is [forced](super::Reconnect::Force) to reconnect
        /// waits for the same time. A permanent request has its [own backoff](super::RetryPolicy).
        /// Default: 5 s, doubling to 5 min.
        backoff / with_backoff: Backoff = Backoff::default();
        /// How many automatic dials must fail in a row before the network counts as down.
        ///
        /// 0 counts as 1. While the network counts as down, one dial at a time probes it, with
        /// growing waits in between. The network counts as down only if each dialled
        /// [family](super::Family) of addresses has failed this often and nothing is connected.
        /// Default: 25.
        offline_after / with_offline_after: u32 = 25, |failures: u32| failures.max(1);
        /// Age from which a connection counts as good even if it was never marked ready.
        ///
        /// The end of a good connection resets the waits. Default: 60 s.
        stable_after / with_stable_after: Duration = Duration::from_secs(60);
        /// Time that owners have to end their connections when the manager stops.
        ///
        /// Afterwards the manager forgets the remaining connections. Default: 5 s.
        drain / with_drain: Duration = Duration::from_secs(5);
        /// With this many unread events, dialling and accepting pause; at least 1.
        ///
        /// No event is lost: beyond this number, each existing connection may still add one event,
        /// and each dial in flight two. Default: 256.
        max_unread_events / with_max_unread_events: usize = 256;
        /// Whether the manager keeps running after all its handles are dropped. Default: false.
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

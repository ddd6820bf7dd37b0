//! The settings of discovery.

use std::time::Duration;

use crate::settings::settings;

settings! {
    /// The settings of a [`Machine`](super::Machine), and so of a [`Discv4`](super::Discv4).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Discv4Config {
        /// Whether nodes in private networks and on this computer take part in discovery.
        ///
        /// The limits per network and per address do not apply to such nodes. Set this for your own
        /// private network. Default: no, which means that packets from such addresses are dropped.
        private_networks / with_private_networks: bool = false;
        /// Time limit for an answer. Default: 500 ms.
        request_timeout / with_request_timeout: Duration = Duration::from_millis(500),
            |time: Duration| time.max(Duration::from_millis(1));
        /// Interval at which the node that has been silent longest is checked. Default: 5 s.
        revalidate_every / with_revalidate_every: Duration = Duration::from_secs(5),
            |time: Duration| time.max(Duration::from_millis(1));
        /// How long a node in the table must be silent before it is checked. Default: 10 s.
        silence / with_silence: Duration = Duration::from_secs(10);
        /// Interval between refreshes of the table.
        ///
        /// A refresh looks up our own id and random targets. While the table is empty, the seeds
        /// are pinged every 10 s, or at this interval if it is shorter. Default: 30 min.
        refresh_every / with_refresh_every: Duration = Duration::from_secs(30 * 60),
            |time: Duration| time.max(Duration::from_millis(1));
        /// Number of random lookups in a refresh, at most 16. Default: 3.
        random_lookups / with_random_lookups: u32 = 3, |lookups: u32| lookups.min(16);
        /// Maximum number of packets per second that are processed from each address.
        ///
        /// An IPv6 /64 counts as one address. Bursts may be twice as large. Default: 50.
        packets_per_second / with_packets_per_second: u32 = 50;
        /// Maximum number of Pings per second answered for each address without an endpoint proof.
        ///
        /// An IPv6 /64 counts as one address. Bursts may be four times as large. All addresses
        /// of an IPv4 /24 together have four times these limits. Default: 8.
        strangers_per_second / with_strangers_per_second: u32 = 8;
    }
}

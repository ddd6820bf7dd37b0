//! How discovery behaves.

use std::time::Duration;

use crate::settings::settings;

settings! {
    /// How a [`Machine`](super::Machine) behaves, and so a [`Discv4`](super::Discv4).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Discv4Config {
        /// Whether nodes of private networks and of this machine take part too; limits by network
        /// and by address do not hold for them then. Default: no, and what comes from such an address is
        /// dropped. Set this for a network of your own.
        private_networks / with_private_networks: bool = false;
        /// How long an answer may take. Default: 500 ms.
        request_timeout / with_request_timeout: Duration = Duration::from_millis(500),
            |time: Duration| time.max(Duration::from_millis(1));
        /// How often a node of the table, that which has been silent for longest, is asked whether it is
        /// still there. Default: every 5 s.
        revalidate_every / with_revalidate_every: Duration = Duration::from_secs(5),
            |time: Duration| time.max(Duration::from_millis(1));
        /// How long a node of the table may be silent before it is asked. Default: 10 s.
        silence / with_silence: Duration = Duration::from_secs(10);
        /// How often the table is filled by lookups of our own id and of random targets; one in which
        /// there is nobody is tried every 10 s, or as often as this says. Default: every 30 minutes.
        refresh_every / with_refresh_every: Duration = Duration::from_secs(30 * 60),
            |time: Duration| time.max(Duration::from_millis(1));
        /// How many lookups of random targets follow that of our own id then, at most 16. Default: 3.
        random_lookups / with_random_lookups: u32 = 3, |lookups: u32| lookups.min(16);
        /// How many packets of one address are looked at in a second, after twice as many at once.
        /// Default: 50.
        packets_per_second / with_packets_per_second: u32 = 50;
        /// How many packets of one address that has not proven itself are answered in a second, after
        /// four times as many at once; of one /24, or /64 of IPv6, it is four times that. Default: 8.
        strangers_per_second / with_strangers_per_second: u32 = 8;
    }
}

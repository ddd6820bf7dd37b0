//! How a node takes part in Discovery v5.

use std::time::Duration;

use crate::settings::settings;

settings! {
    /// How a node takes part in Discovery v5. Each setting has a getter of its name and a setter `with_…`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Discv5Config {
        /// How long a node may take to answer a packet, which is sent twice. Default: 1 s.
        request_timeout / with_request_timeout: Duration = Duration::from_secs(1),
            |time: Duration| time.max(Duration::from_millis(10));
        /// How long a lookup may take. What it has found by then is its result. Default: 30 s.
        lookup_timeout / with_lookup_timeout: Duration = Duration::from_secs(30);
        /// From one Ping to the next for each node of the table. Default: 5 min.
        ping_interval / with_ping_interval: Duration = Duration::from_secs(300);
        /// Whether only 2 nodes of one IPv4 /24 stand in a bucket of the table, and 10 in all of it: who
        /// owns a network then owns a small part of it. Turn it off for a network on one machine. Default:
        /// yes.
        limit_networks / with_limit_networks: bool = true;
        /// How many talk requests are answered at once. Further ones get an empty answer. Default: 16.
        max_talks / with_max_talks: usize = 16;
        /// How often a node of the table is asked at which address it sees this one. Default: 30 s.
        observe_interval / with_observe_interval: Duration = Duration::from_secs(30),
            |time: Duration| time.max(Duration::from_secs(1));
    }
}

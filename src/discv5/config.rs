//! The settings of Discovery v5.

use std::time::Duration;

use crate::settings::settings;

settings! {
    /// The settings of Discovery v5.
    ///
    /// Each setting has a getter of its name and a setter `with_…`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Discv5Config {
        /// Time limit for the answer to a packet. A packet without an answer is sent once more.
        /// Default: 1 s.
        request_timeout / with_request_timeout: Duration = Duration::from_secs(1),
            |time: Duration| time.max(Duration::from_millis(10));
        /// Time limit for a lookup.
        ///
        /// A lookup that reaches this limit returns the nodes that it has found by then. Default:
        /// 30 s.
        lookup_timeout / with_lookup_timeout: Duration = Duration::from_secs(30);
        /// Interval between Pings to each node of the table. Default: 5 min.
        ping_interval / with_ping_interval: Duration = Duration::from_secs(300);
        /// Whether nodes in private networks and on this computer take part in discovery.
        ///
        /// Otherwise the table contains only nodes with public addresses, and no others are asked,
        /// returned or named to other nodes. If such nodes take part, their addresses are named to
        /// all who ask. Default: no.
        private_networks / with_private_networks: bool = false;
        /// Whether to limit the nodes of one IPv4 /24 in the table.
        ///
        /// A bucket accepts 2 nodes of such a network, and the whole table 10, so that the owner of
        /// a network controls only a small part of the table. This limit does not apply if private
        /// networks take part. Default: yes.
        limit_networks / with_limit_networks: bool = true;
        /// Maximum number of concurrent talk requests. Further ones get an empty answer. Default:
        /// 16.
        max_talks / with_max_talks: usize = 16;
        /// Interval at which four nodes of the table are asked how they see our address. Default:
        /// 30 s.
        observe_interval / with_observe_interval: Duration = Duration::from_secs(30),
            |time: Duration| time.max(Duration::from_secs(1));
    }
}

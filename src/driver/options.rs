use crate::channel::{Meters, NodeBudget};
use crate::peer::{PeerConfig, PeerEvents};
use crate::settings::settings;

settings! {
    /// What a peer needs beside its connection. The same values serve all peers of a node.
    #[derive(Debug, Clone)]
    pub struct PeerOptions {
        /// The timing.
        config / with_config: PeerConfig = PeerConfig::default();
        /// The memory budget, shared with the node's other peers.
        budget / with_budget: NodeBudget => &NodeBudget = NodeBudget::default();
        /// Receives an event for each message, if set. `Added` and `Dropped` are emitted by the
        /// owner of the peer set.
        events / with_events: Option<PeerEvents> => &Option<PeerEvents> = None;
        /// Where the node's peers are counted, with the feature `metrics`.
        meters / with_meters: Meters => &Meters = Meters::default();
    }
}

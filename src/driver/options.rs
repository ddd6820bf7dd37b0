use std::sync::Arc;

use crate::channel::NodeBudget;
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
        /// The value of the label `node` of what is counted, if set; for the feature `metrics`.
        metrics_label / with_metrics_label: Option<Arc<str>> => &Option<Arc<str>> = None;
    }
}

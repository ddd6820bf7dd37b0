use crate::channel::{Meters, NodeBudget};
use crate::peer::{PeerConfig, PeerEvents};
use crate::settings::settings;

settings! {
    /// The options of a peer, in addition to its connection.
    ///
    /// All peers of a node share the same values.
    #[derive(Debug, Clone)]
    pub struct PeerOptions {
        /// The timing, and whether traffic is recorded.
        config / with_config: PeerConfig = PeerConfig::default();
        /// The memory budget, shared with the node's other peers.
        budget / with_budget: NodeBudget => &NodeBudget = NodeBudget::default();
        /// The feed that receives an event for each message, if set.
        ///
        /// The events `Added` and `Dropped` do not come from the peer, but from the owner of the
        /// peer set.
        events / with_events: Option<PeerEvents> => &Option<PeerEvents> = None;
        /// With the feature `metrics`: the metric handles that all peers of the node share.
        meters / with_meters: Meters => &Meters = Meters::default();
    }
}

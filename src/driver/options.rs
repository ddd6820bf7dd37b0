use crate::channel::{MemoryLimits, NodeBudget};
use crate::peer::{PeerConfig, PeerEvents};

/// What a peer needs beside its connection. The same values serve all peers of a node.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// The timing.
    pub config: PeerConfig,
    /// The memory budget, shared with the node's other peers.
    pub budget: NodeBudget,
    /// Receives an event for each message, if set. `Added` and `Dropped` are emitted by the owner of
    /// the peer set.
    pub events: Option<PeerEvents>,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self {
            config: PeerConfig::default(),
            budget: NodeBudget::new(MemoryLimits::default()),
            events: None,
        }
    }
}

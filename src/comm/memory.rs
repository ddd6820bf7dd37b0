//! Whose memory the layer uses.

use std::sync::OnceLock;

use crate::channel::NodeBudget;
use crate::spare::Spare;

/// The memory budget of the server that the connections belong to; until there is a connection from
/// elsewhere, one of the layer's own.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    of_server: OnceLock<NodeBudget>,
    own: NodeBudget,
}

impl Memory {
    /// Uses the memory of a server; the first one stays.
    pub(crate) fn share(&self, node: &NodeBudget) {
        self.of_server.get_or_init(|| node.clone());
    }

    /// What is charged for messages that wait.
    pub(crate) fn node(&self) -> &NodeBudget {
        self.of_server.get().unwrap_or(&self.own)
    }

    /// What large messages are encoded into.
    pub(crate) fn spare(&self) -> &Spare {
        self.node().spare()
    }
}

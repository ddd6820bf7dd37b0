//! The memory budget that the layer uses.

use std::sync::OnceLock;

use crate::channel::NodeBudget;
use crate::spare::Spare;

/// The memory budget of the server that makes the connections. Until that server is known, the
/// layer uses a budget of its own.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    of_server: OnceLock<NodeBudget>,
    own: NodeBudget,
}

impl Memory {
    /// Uses the budget of a server from now on; later calls change nothing.
    pub(crate) fn share(&self, node: &NodeBudget) {
        self.of_server.get_or_init(|| node.clone());
    }

    /// The budget to which waiting messages are charged.
    pub(crate) fn node(&self) -> &NodeBudget {
        self.of_server.get().unwrap_or(&self.own)
    }

    /// The buffers into which large messages are encoded.
    pub(crate) fn spare(&self) -> &Spare {
        self.node().spare()
    }
}

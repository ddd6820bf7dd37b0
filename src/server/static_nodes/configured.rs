//! Finds out what a new configuration changes about the static nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use crate::node::{Enode, NodeId};
use crate::server::{NetList, ServerConfig};

/// What the keeper has applied of the configuration.
pub(super) struct Configured {
    nodes: Vec<Enode>,
    permitted: Option<NetList>,
    /// The configured nodes that were skipped because they are outside the permitted networks.
    outside: BTreeSet<NodeId>,
}

/// What a new configuration changes, in the order in which the keeper applies it.
pub(super) struct Changes {
    pub(super) removed: Vec<NodeId>,
    pub(super) networks: bool,
    pub(super) added: Vec<Enode>,
}

impl Configured {
    /// No static node of the configuration has been added.
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            nodes: Vec::new(),
            permitted: config.net_restrict().clone(),
            outside: BTreeSet::new(),
        }
    }

    /// Takes on a new configuration, and returns what it changes.
    ///
    /// A node in both lists keeps its state, which may have changed since. But if the permitted
    /// networks change, nodes that were outside are added again.
    pub(super) fn change(&mut self, new: &ServerConfig) -> Changes {
        let before = mem::replace(&mut self.nodes, new.static_nodes().to_vec());
        let (old, current) = (by_id(&before), by_id(new.static_nodes()));
        let is_removed = |id: &&NodeId| !current.contains_key(*id);
        let removed: Vec<_> = old.keys().filter(is_removed).copied().collect();
        self.outside.retain(|id| current.contains_key(id));
        let networks = self.permitted != *new.net_restrict();
        let mut outside = BTreeSet::new();
        if networks {
            self.permitted.clone_from(new.net_restrict());
            outside = mem::take(&mut self.outside);
        }
        let is_added = |node: &&Enode| {
            let id = node.node_id();
            let is_last = current.get(&id) == Some(node);
            is_last && (old.get(&id) != Some(node) || outside.contains(&id))
        };
        let added = new.static_nodes().iter().filter(is_added);
        Changes {
            removed,
            networks,
            added: added.cloned().collect(),
        }
    }

    /// Records a node that was skipped because it is outside the permitted networks.
    pub(super) fn skipped(&mut self, id: NodeId) {
        self.outside.insert(id);
    }

    /// Forgets that a node was skipped, since it was added or removed.
    pub(super) fn forget(&mut self, id: &NodeId) {
        self.outside.remove(id);
    }
}

/// Returns the nodes by their ids. The last entry of a node counts.
fn by_id(nodes: &[Enode]) -> BTreeMap<NodeId, &Enode> {
    nodes.iter().map(|node| (node.node_id(), node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::SecretKey;

    #[test]
    fn only_the_last_entry_of_a_node_counts_and_only_once() {
        let key = SecretKey::generate().public_key();
        let [first, last] = [1, 2].map(|port| Enode::new(key, ([20, 1, 1, 1], port).into()));
        let config = ServerConfig::default();
        let mut configured = Configured::new(&config);
        let twice = config
            .clone()
            .with_static_nodes([first.clone(), last.clone()]);
        assert_eq!(configured.change(&twice).added, [last]);
        assert!(configured.change(&twice).added.is_empty());
        let once = config.clone().with_static_nodes([first.clone()]);
        let changes = configured.change(&once);
        assert_eq!(
            (changes.added, changes.removed),
            (vec![first.clone()], vec![])
        );
        assert_eq!(configured.change(&config).removed, [first.node_id()]);
    }

    #[test]
    fn skipped_nodes_are_added_again_once_the_networks_have_changed() {
        let node = Enode::new(
            SecretKey::generate().public_key(),
            ([20, 1, 1, 1], 1).into(),
        );
        let config = ServerConfig::default().with_static_nodes([node.clone()]);
        let mut configured = Configured::new(&config);
        configured.change(&config);
        configured.skipped(node.node_id());
        assert!(
            configured
                .change(&config.clone().with_max_peers(1))
                .added
                .is_empty()
        );
        let networks: NetList = "20.0.0.0/8".parse().expect("a list");
        let changes = configured.change(&config.with_net_restrict(networks));
        assert!(changes.networks && changes.added == [node]);
    }
}

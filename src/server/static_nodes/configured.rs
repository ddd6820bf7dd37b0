//! Applies the configuration to the static nodes.

use std::collections::BTreeMap;
use std::mem;

use tracing::{debug, warn};

use super::Keeper;
use crate::connmgr::Refusal;
use crate::node::{Enode, NodeId};
use crate::server::{ConnectionEvent, NetList, ServerConfig, StaticNodeError};

/// What the keeper has applied of the configuration.
pub(super) struct Configured {
    nodes: Vec<Enode>,
    permitted: Option<NetList>,
    /// The configured nodes that were skipped because they are outside the permitted networks.
    pub(super) outside: BTreeMap<NodeId, Enode>,
}

impl Configured {
    /// No static node of the configuration has been added.
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            nodes: Vec::new(),
            permitted: config.net_restrict().clone(),
            outside: BTreeMap::new(),
        }
    }
}

impl Keeper {
    /// Applies the changes of the configuration since the last call.
    ///
    /// A node in both lists keeps its state, which may have changed since.
    pub(super) async fn apply_config(&mut self) {
        let new = self.shared.checks.config.lock().clone();
        let before = mem::replace(&mut self.configured.nodes, new.static_nodes().to_vec());
        self.limit_dials(&new).await;
        let (old, current) = (by_id(&before), by_id(new.static_nodes()));
        for id in old.keys().filter(|id| !current.contains_key(*id)) {
            self.remove(*id).await;
        }
        if self.configured.permitted != *new.net_restrict() {
            self.configured.permitted.clone_from(new.net_restrict());
            self.permitted_changed().await;
        }
        for node in new.static_nodes() {
            if old.get(&node.node_id()) != Some(&node) {
                self.add_configured(node.clone()).await;
            }
        }
        self.share_out().await;
        let seats = self.shared.checks.peers.seats().all;
        if before != new.static_nodes() && new.static_nodes().len() > seats {
            warn!(
                static_nodes = new.static_nodes().len(),
                max_peers = seats,
                "there are more static nodes than seats for peers"
            );
        }
    }

    /// Lets nodes that are now in a permitted network be dialled.
    async fn permitted_changed(&mut self) {
        for node in mem::take(&mut self.configured.outside).into_values() {
            self.add_configured(node).await;
        }
        let mut ids: Vec<_> = self.nodes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.reconsider(id).await;
        }
    }

    /// Adds a static node of the configuration, or reports that it is skipped.
    ///
    /// An unsuitable node is only skipped, because several servers may share one list, which then
    /// also contains this server itself.
    async fn add_configured(&mut self, node: Enode) {
        let Err(error) = self.add(node.clone()).await else {
            return;
        };
        match &error {
            StaticNodeError::Itself { .. } => debug!(%node, %error, "static node skipped"),
            _ => warn!(%node, %error, "static node skipped"),
        }
        if let StaticNodeError::NotAllowed { id, cause } = error
            && cause == Refusal::Restricted
        {
            self.configured.outside.insert(id, node.clone());
        }
        let skipped = ConnectionEvent::StaticNodeSkipped { node, error };
        self.shared.connection_events.emit(skipped);
    }

    async fn limit_dials(&self, config: &ServerConfig) {
        let connections = &self.shared.connections;
        let (max, timeout) = (config.max_dials(), config.dial_timeout());
        let limited = connections.set_dial_limits(max, timeout, config.dial_rate());
        // This call fails only when the connection manager stops.
        limited.await.ok();
    }
}

/// Returns the nodes by their ids. The last entry of a node counts.
fn by_id(nodes: &[Enode]) -> BTreeMap<NodeId, &Enode> {
    nodes.iter().map(|node| (node.node_id(), node)).collect()
}

//! Nodes that find each other in a directory, and keep a number of connections each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use peermux::connmgr::{AddressSource, DialFilter};
use peermux::{Direction, Enode, NodeId, Peer, Protocol, SecretKey, Server, ServerBuilder};

/// How many nodes each node dials.
pub(crate) const TARGET: usize = 8;

/// All running nodes.
#[derive(Clone, Default)]
struct Directory(Arc<Mutex<Vec<Enode>>>);

/// A source that offers all nodes of the directory, in random order.
impl AddressSource<Enode> for Directory {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let all = self.0.lock().unwrap().clone();
        let order = rand::seq::index::sample(&mut rand::rng(), all.len(), all.len());
        let mut offers = order.into_iter().filter_map(|index| all.get(index));
        offers.find(|node| wanted.allows(node)).cloned()
    }
}

/// The running nodes and their directory.
#[derive(Default)]
pub(crate) struct Mesh {
    directory: Directory,
    pub(crate) servers: BTreeMap<NodeId, Server>,
}

impl Mesh {
    /// Returns a node that reserves a third of its seats for outbound peers.
    pub(crate) fn node(&self, key: SecretKey) -> ServerBuilder {
        let idle = Protocol::builder("mesh", 1, 1).run(|peer, _conn| async move {
            peer.ending().await;
            Ok(())
        });
        Server::builder(key)
            .protocol(idle)
            .configure(|config| config.with_max_peers(3 * TARGET))
            .source(self.directory.clone())
    }

    /// Adds a node to the directory.
    pub(crate) fn add(&mut self, server: Server, enode: Enode) {
        self.directory.0.lock().unwrap().push(enode);
        self.servers.insert(server.id(), server);
    }

    /// Drops a node without notice to others.
    pub(crate) fn kill(&mut self, id: &NodeId) {
        let mut directory = self.directory.0.lock().unwrap();
        directory.retain(|node| node.node_id() != *id);
        drop(self.servers.remove(id));
    }

    /// Returns whether the mesh is complete. Each node must have its outbound peers, and each
    /// connection must be known at both ends.
    pub(crate) fn is_complete(&self) -> bool {
        let peers: BTreeMap<NodeId, Vec<Peer>> = (self.servers.iter())
            .map(|(id, server)| (*id, server.peers()))
            .collect();
        let known: BTreeMap<NodeId, BTreeSet<NodeId>> = peers
            .iter()
            .map(|(id, peers)| (*id, peers.iter().map(Peer::id).collect()))
            .collect();
        peers.iter().all(|(id, peers)| {
            let dialled = |peer: &&Peer| peer.direction() == Direction::Outbound;
            // No node is connected twice, no node that is gone is connected, and each connection
            // has two ends.
            known[id].len() == peers.len()
                && peers.iter().filter(dialled).count() == TARGET
                && known[id]
                    .iter()
                    .all(|other| known.get(other).is_some_and(|theirs| theirs.contains(id)))
        })
    }
}

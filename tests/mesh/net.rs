//! Nodes that find each other in one directory and keep so many connections each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use peermux::connmgr::{AddressSource, DialFilter};
use peermux::{Direction, Enode, NodeId, Peer, Protocol, SecretKey, Server, ServerBuilder};

/// How many nodes each one dials.
pub(crate) const TARGET: usize = 8;

/// All nodes that are up.
#[derive(Clone, Default)]
struct Directory(Arc<Mutex<Vec<Enode>>>);

/// Offers everybody in the directory, in random order.
impl AddressSource<Enode> for Directory {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let all = self.0.lock().unwrap().clone();
        let order = rand::seq::index::sample(&mut rand::rng(), all.len(), all.len());
        let mut offers = order.into_iter().filter_map(|index| all.get(index));
        offers.find(|node| wanted.allows(node)).cloned()
    }
}

/// The nodes that are up, and where they find each other.
#[derive(Default)]
pub(crate) struct Mesh {
    directory: Directory,
    pub(crate) servers: BTreeMap<NodeId, Server>,
}

impl Mesh {
    /// A node that will dial others. Of its places for peers a third is kept for those.
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

    /// Lets the others know of a node.
    pub(crate) fn add(&mut self, server: Server, enode: Enode) {
        self.directory.0.lock().unwrap().push(enode);
        self.servers.insert(server.id(), server);
    }

    /// Drops a node without a word to anybody.
    pub(crate) fn kill(&mut self, id: &NodeId) {
        let mut directory = self.directory.0.lock().unwrap();
        directory.retain(|node| node.node_id() != *id);
        drop(self.servers.remove(id));
    }

    /// Whether everybody has dialled as many as wanted, and both sides know of each connection.
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
            // No node twice, nobody who is gone, and each connection with two ends.
            known[id].len() == peers.len()
                && peers.iter().filter(dialled).count() == TARGET
                && known[id]
                    .iter()
                    .all(|other| known.get(other).is_some_and(|theirs| theirs.contains(id)))
        })
    }
}

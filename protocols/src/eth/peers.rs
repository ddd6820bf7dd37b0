use std::collections::HashMap;

use peermux::{NodeId, Peer};

use super::Status;
use crate::mutex::Mutex;

/// The peers that have joined.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<HashMap<NodeId, (Peer, Status)>>);

impl Peers {
    pub(super) fn enter(&self, peer: &Peer, status: Status) -> Joined<'_> {
        let peer = peer.clone();
        self.0.lock().insert(peer.id(), (peer.clone(), status));
        Joined { peers: self, peer }
    }

    pub(super) fn status(&self, id: &NodeId) -> Option<Status> {
        self.0.lock().get(id).map(|(_, status)| *status)
    }

    pub(super) fn all(&self) -> Vec<Peer> {
        let peers = self.0.lock();
        peers.values().map(|(peer, _)| peer.clone()).collect()
    }
}

/// A peer's place among the joined ones, which ends when this is dropped.
pub(super) struct Joined<'a> {
    peers: &'a Peers,
    peer: Peer,
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut peers = self.peers.0.lock();
        let id = self.peer.id();
        let same = |peer: &Peer| peer.channel_binding() == self.peer.channel_binding();
        // A node that has reconnected has its own place.
        if peers.get(&id).is_some_and(|(peer, _)| same(peer)) {
            peers.remove(&id);
        }
    }
}

//! Who is connected, and who may.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::node::NodeId;
use crate::p2p::DisconnectReason;
use crate::peer::Peer;

/// The connected peers of one node.
#[derive(Debug)]
pub(crate) struct PeerSet {
    own: NodeId,
    max_peers: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    peers: HashMap<NodeId, Peer>,
    closed: bool,
}

impl PeerSet {
    pub(crate) fn new(own: NodeId, max_peers: usize) -> Self {
        Self {
            own,
            max_peers,
            state: Mutex::default(),
        }
    }

    /// Whether a node would be taken in now.
    pub(crate) fn check(&self, id: &NodeId) -> Result<(), DisconnectReason> {
        self.check_in(&self.lock(), id)
    }

    fn check_in(&self, state: &State, id: &NodeId) -> Result<(), DisconnectReason> {
        if state.closed {
            Err(DisconnectReason::CLIENT_QUITTING)
        } else if state.peers.len() >= self.max_peers {
            Err(DisconnectReason::TOO_MANY_PEERS)
        } else if state.peers.contains_key(id) {
            Err(DisconnectReason::ALREADY_CONNECTED)
        } else if *id == self.own {
            Err(DisconnectReason::CONNECTED_TO_SELF)
        } else {
            Ok(())
        }
    }

    /// Takes a peer in, unless the set has changed so that it is not wanted any more.
    pub(crate) fn insert(&self, peer: Peer) -> Result<(), DisconnectReason> {
        let mut state = self.lock();
        self.check_in(&state, &peer.id())?;
        state.peers.insert(peer.id(), peer);
        Ok(())
    }

    pub(crate) fn remove(&self, id: &NodeId) {
        self.lock().peers.remove(id);
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<Peer> {
        self.lock().peers.get(id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().peers.len()
    }

    /// All peers, by node id.
    pub(crate) fn snapshot(&self) -> Vec<Peer> {
        let mut peers: Vec<_> = self.lock().peers.values().cloned().collect();
        peers.sort_by_key(Peer::id);
        peers
    }

    /// Lets nobody in any more; returns who is there.
    pub(crate) fn close(&self) -> Vec<Peer> {
        self.lock().closed = true;
        self.snapshot()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

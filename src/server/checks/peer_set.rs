//! Who is connected, and who may.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::time::timeout;

use crate::mutex::Mutex;
use crate::node::NodeId;
use crate::p2p::DisconnectReason;
use crate::peer::Peer;
use crate::setup::Direction;

/// How long a new connection waits for the end of an earlier one with its node. Most remotes give a
/// handshake 5 s.
const ENDING: Duration = Duration::from_secs(3);

/// How many peers a node wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seats {
    /// In all.
    pub(crate) all: usize,
    /// That dialled us.
    pub(crate) inbound: usize,
}

impl Seats {
    /// One of `ratio` seats is kept for dialled peers, at least one; with `ratio` 0 none is.
    pub(crate) fn new(all: usize, ratio: usize) -> Self {
        let dialled = match (all, ratio) {
            (0, _) | (_, 0) => 0,
            (all, ratio) => (all / ratio).max(1),
        };
        Self {
            all,
            inbound: all - dialled,
        }
    }

    /// How many are kept for dialled peers.
    pub(crate) fn dialled(self) -> usize {
        self.all - self.inbound
    }
}

/// The connected peers of a node. The checks are made under the same lock as the changes. Cloning
/// shares it.
#[derive(Debug, Clone)]
pub(crate) struct PeerSet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    own: NodeId,
    seats: Seats,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    peers: HashMap<NodeId, Peer>,
    inbound: usize,
    trusted: HashSet<NodeId>,
    statics: HashSet<NodeId>,
    /// How many static nodes are not connected: their seats are kept.
    absent: usize,
    closed: bool,
}

impl PeerSet {
    pub(crate) fn new(own: NodeId, seats: Seats) -> Self {
        Self(Arc::new(Shared {
            own,
            seats,
            state: Mutex::default(),
        }))
    }

    /// Whether a node may become a peer as things stand.
    pub(crate) fn check(&self, id: &NodeId, direction: Direction) -> Result<(), DisconnectReason> {
        self.check_in(&self.lock(), id, direction)
    }

    /// The order of the checks is that of go-ethereum, whose reasons remotes know; trusted nodes
    /// are exempt from the limits alone.
    fn check_in(
        &self,
        state: &State,
        id: &NodeId,
        direction: Direction,
    ) -> Result<(), DisconnectReason> {
        let full = match state.statics.contains(id) {
            true => state.peers.len() >= self.0.seats.all,
            false => {
                state.peers.len().saturating_add(state.absent) >= self.0.seats.all
                    || direction == Direction::Inbound && state.inbound >= self.0.seats.inbound
            }
        };
        if state.closed {
            Err(DisconnectReason::CLIENT_QUITTING)
        } else if full && !state.trusted.contains(id) {
            Err(DisconnectReason::TOO_MANY_PEERS)
        } else if state.peers.contains_key(id) {
            Err(DisconnectReason::ALREADY_CONNECTED)
        } else if *id == self.0.own {
            Err(DisconnectReason::CONNECTED_TO_SELF)
        } else {
            Ok(())
        }
    }

    /// Gives a peer its seat, unless things have changed since it was checked.
    pub(crate) fn insert(&self, peer: Peer) -> Result<Seat, DisconnectReason> {
        let mut state = self.lock();
        let id = peer.id();
        self.check_in(&state, &id, peer.direction())?;
        peer.control().set_trusted(state.trusted.contains(&id));
        peer.control().set_static(state.statics.contains(&id));
        state.inbound += usize::from(peer.direction() == Direction::Inbound);
        state.absent -= usize::from(state.statics.contains(&id));
        state.peers.insert(id, peer);
        drop(state);
        Ok(Seat {
            peers: self.clone(),
            id,
        })
    }

    /// Sets whether a node is exempt from the limits; a connected one is told so at once.
    pub(crate) fn set_trusted(&self, id: NodeId, trusted: bool) {
        let mut state = self.lock();
        match trusted {
            true => state.trusted.insert(id),
            false => state.trusted.remove(&id),
        };
        if let Some(peer) = state.peers.get(&id) {
            peer.control().set_trusted(trusted);
        }
    }

    /// Sets whether a node is dialled again and again; a connected one is told so at once.
    pub(crate) fn set_static(&self, id: NodeId, wanted: bool) {
        let mut state = self.lock();
        let changed = match wanted {
            true => state.statics.insert(id),
            false => state.statics.remove(&id),
        };
        match state.peers.get(&id) {
            Some(peer) => peer.control().set_static(wanted),
            None if changed && wanted => state.absent += 1,
            None if changed => state.absent -= 1,
            None => {}
        }
    }

    /// Lets an ending peer of this node end: it is no duplicate of a new connection, which waits for
    /// that for [`ENDING`] at most. Cancel safe.
    pub(crate) async fn let_end(&self, id: &NodeId) {
        if let Some(peer) = self.get(id).filter(Peer::is_ending) {
            // One that takes longer is in the way after all.
            let _ = timeout(ENDING, peer.ended()).await;
        }
    }

    pub(crate) fn is_static(&self, id: &NodeId) -> bool {
        self.lock().statics.contains(id)
    }

    pub(crate) fn seats(&self) -> Seats {
        self.0.seats
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

    /// Lets nobody in any more, and tells who is there.
    pub(crate) fn close(&self) -> Vec<Peer> {
        self.lock().closed = true;
        self.snapshot()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// A peer's place in the set, which it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    peers: PeerSet,
    id: NodeId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.peers.lock();
        if let Some(peer) = state.peers.remove(&self.id) {
            state.inbound -= usize::from(peer.direction() == Direction::Inbound);
            state.absent += usize::from(state.statics.contains(&self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_shared_between_dialled_and_inbound_peers() {
        let shares = |all, ratio| {
            let seats = Seats::new(all, ratio);
            (seats.all - seats.inbound, seats.inbound)
        };
        assert_eq!(shares(50, 3), (16, 34));
        assert_eq!(shares(10, 2), (5, 5));
        assert_eq!(shares(1, 7), (1, 0));
        assert_eq!(shares(0, 3), (0, 0));
        assert_eq!(shares(8, 0), (0, 8));
    }
}

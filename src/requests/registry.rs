//! The peers that can receive requests.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::remote::Remote;
use crate::message::RequestMessages;
use crate::mutex::Mutex;
use crate::node::NodeId;
use crate::peer::Peer;

pub(super) struct Registry<M> {
    peers: Mutex<HashMap<NodeId, Entry<M>>>,
    /// Wakes tasks that wait for a peer to become ready.
    changed: Notify,
}

struct Entry<M> {
    peer: Peer,
    /// `None` until the peer's protocol is ready for requests.
    remote: Option<Arc<Remote<M>>>,
}

impl<M: RequestMessages> Registry<M> {
    pub(super) fn new() -> Self {
        Self {
            peers: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Lists a peer whose protocol has begun. The peer stays listed until the returned guard is
    /// dropped.
    pub(super) fn begin(self: &Arc<Self>, peer: &Peer) -> Listed<M> {
        let entry = Entry {
            peer: peer.clone(),
            remote: None,
        };
        self.peers.lock().insert(peer.id(), entry);
        Listed {
            registry: Arc::clone(self),
            peer: peer.clone(),
            remote: None,
        }
    }

    /// Waits until the protocol of a listed peer is ready. Returns `None` if the peer is not
    /// listed, or is removed during the wait. Cancel safe.
    pub(super) async fn ready(&self, id: &NodeId) -> Option<Arc<Remote<M>>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // The wait is registered before the check, so that no change is missed.
            changed.as_mut().enable();
            if let Some(remote) = self.peers.lock().get(id)?.remote.clone() {
                return Some(remote);
            }
            changed.await;
        }
    }

    /// Returns the peers that are ready for requests.
    pub(super) fn all(&self) -> Vec<Arc<Remote<M>>> {
        let peers = self.peers.lock();
        peers
            .values()
            .filter_map(|entry| entry.remote.clone())
            .collect()
    }

    /// Returns the listed peers that are not ready yet, because their handshake is under way.
    pub(super) fn unready(&self) -> Vec<Peer> {
        let peers = self.peers.lock();
        let unready = peers.values().filter(|entry| entry.remote.is_none());
        unready.map(|entry| entry.peer.clone()).collect()
    }

    /// Returns a peer if it is ready.
    pub(super) fn get(&self, id: &NodeId) -> Option<Arc<Remote<M>>> {
        self.peers.lock().get(id)?.remote.clone()
    }
}

/// A peer's entry in the registry. Dropping the entry removes the peer, and fails the open requests
/// to the peer.
pub(super) struct Listed<M: RequestMessages> {
    registry: Arc<Registry<M>>,
    peer: Peer,
    remote: Option<Arc<Remote<M>>>,
}

impl<M: RequestMessages> Listed<M> {
    /// Allows requests to the peer from now on.
    pub(super) fn ready(&mut self, remote: Arc<Remote<M>>) {
        self.remote = Some(Arc::clone(&remote));
        if let Some(entry) = self.registry.peers.lock().get_mut(&self.peer.id())
            && entry.peer.is_same(&self.peer)
        {
            entry.remote = Some(remote);
        }
        self.registry.changed.notify_waiters();
    }
}

impl<M: RequestMessages> Drop for Listed<M> {
    fn drop(&mut self) {
        {
            let mut peers = self.registry.peers.lock();
            let id = self.peer.id();
            // If the node has reconnected in the meantime, the list contains its new connection,
            // which must stay.
            if peers
                .get(&id)
                .is_some_and(|entry| entry.peer.is_same(&self.peer))
            {
                peers.remove(&id);
            }
        }
        if let Some(remote) = &self.remote {
            remote.end();
        }
        self.registry.changed.notify_waiters();
    }
}

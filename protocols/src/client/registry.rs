use std::collections::HashMap;
use std::sync::Arc;

use peermux::{Capability, NodeId, Peer};
use tokio::sync::Notify;

use super::ClientError;
use crate::mutex::Mutex;

/// A protocol's state on one connection, shared by its clients.
pub(crate) trait Connection {
    /// Fails every request that waits for the peer.
    fn end(&self);
}

/// The connections on which a protocol runs, by node id.
#[derive(Debug)]
pub(crate) struct Registry<C> {
    running: Mutex<HashMap<NodeId, Arc<C>>>,
    changed: Notify,
}

impl<C: Connection> Registry<C> {
    pub(crate) fn new() -> Self {
        Self {
            running: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Lists a connection for as long as the guard lives.
    pub(crate) fn list(&self, id: NodeId, connection: Arc<C>) -> Listed<'_, C> {
        self.running.lock().insert(id, Arc::clone(&connection));
        self.changed.notify_waiters();
        Listed {
            registry: self,
            id,
            connection,
        }
    }

    /// Waits until the protocol `capability` runs with `peer`. That is soon after a dial returns.
    pub(crate) async fn find(
        &self,
        peer: &Peer,
        capability: Capability,
    ) -> Result<Arc<C>, ClientError> {
        let mut shared = peer.shared_capabilities().iter();
        if !shared.any(|shared| shared.capability == capability) {
            return Err(ClientError::NotShared(capability));
        }
        let listed = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(connection) = self.running.lock().get(&peer.id()) {
                    return Arc::clone(connection);
                }
                changed.await;
            }
        };
        tokio::select! {
            // Check for the connection first: it is returned even if the peer is already ending.
            biased;
            connection = listed => Ok(connection),
            () = peer.ending() => Err(ClientError::Ended),
        }
    }
}

/// Removes its connection from the registry when dropped.
pub(crate) struct Listed<'a, C: Connection> {
    registry: &'a Registry<C>,
    id: NodeId,
    connection: Arc<C>,
}

impl<C: Connection> Drop for Listed<'_, C> {
    fn drop(&mut self) {
        {
            let mut running = self.registry.running.lock();
            // If the node has reconnected, the entry belongs to the new connection.
            let same = |listed: &Arc<C>| Arc::ptr_eq(listed, &self.connection);
            if running.get(&self.id).is_some_and(same) {
                running.remove(&self.id);
            }
        }
        self.connection.end();
    }
}

//! The task that keeps static nodes connected.

use std::collections::HashMap;
use std::sync::Arc;

use super::node_addr::candidate;
use super::shared::Inner;
use super::static_nodes::{Command, Commands};
use super::{DialError, StaticNodeError};
use crate::connmgr::{ManagerError, ReqId, RetryPolicy};
use crate::node::{Enode, NodeId};

/// How often a node is added again whose request ends at the same moment.
const TRIES: usize = 4;

/// The task that owns the table of static nodes: one request of the connection manager each.
pub(crate) struct Keeper {
    inner: Arc<Inner>,
    retry: RetryPolicy,
    nodes: HashMap<NodeId, (Enode, ReqId)>,
}

impl Keeper {
    pub(crate) fn new(inner: Arc<Inner>, retry: RetryPolicy) -> Self {
        Self {
            inner,
            retry,
            nodes: HashMap::new(),
        }
    }

    /// Carries commands out one by one, until the server stops.
    pub(crate) async fn run(mut self, mut commands: Commands) {
        let stopping = self.inner.stopping.clone();
        loop {
            let command = tokio::select! {
                () = stopping.cancelled() => return,
                command = commands.recv() => command,
            };
            // Who asked may be gone: then nobody hears the answer.
            match command {
                None => return,
                Some(Command::Add { node, reply }) => {
                    reply.send(self.add(node).await).ok();
                }
                Some(Command::Remove { id, reply }) => {
                    reply.send(self.remove(id).await).ok();
                }
                Some(Command::Disconnected { id }) => self.disconnected(id).await,
            }
        }
    }

    async fn add(&mut self, node: Enode) -> Result<(), StaticNodeError> {
        let id = node.node_id();
        if node.endpoint().is_none_or(|endpoint| endpoint.tcp == 0) {
            return Err(StaticNodeError::NoEndpoint { id });
        }
        if id == self.inner.gate.own {
            return Err(StaticNodeError::Itself { id });
        }
        self.inner.gate.peers.set_static(id, true);
        let requested = self.request(&node).await;
        match requested {
            Ok(request) => {
                self.nodes.insert(id, (node, request));
            }
            Err(_) if self.nodes.contains_key(&id) => {}
            Err(_) => self.inner.gate.peers.set_static(id, false),
        }
        self.share_out().await;
        requested.map(drop).map_err(|error| match error {
            ManagerError::Stopped => StaticNodeError::Stopped,
            ManagerError::Refused(cause) => StaticNodeError::NotAllowed { id, cause },
            source => StaticNodeError::Manager { id, source },
        })
    }

    /// A request that leads to a node for ever: a new one, or the one that there is.
    async fn request(&self, node: &Enode) -> Result<ReqId, ManagerError> {
        let connections = &self.inner.connections;
        let known = self.nodes.get(&node.node_id());
        let mut known = known.map(|(_, request)| *request);
        for _ in 0..TRIES {
            if let Some(request) = known {
                let made = connections.set_permanent(request, self.retry).await;
                let moved = match made {
                    Ok(()) => connections.set_addr(request, candidate(node)).await,
                    Err(error) => Err(error),
                };
                match moved {
                    Ok(()) => return Ok(request),
                    // It has ended for good, for want of a way to dial it.
                    Err(ManagerError::UnknownId(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            let connected = connections.connect_permanent(candidate(node), self.retry);
            match connected.await {
                Ok(request) => return Ok(request.id()),
                Err(ManagerError::AlreadyManaged(request)) => known = Some(request),
                Err(error) => return Err(error),
            }
        }
        Err(ManagerError::UnknownAddress)
    }

    async fn remove(&mut self, id: NodeId) -> bool {
        let Some((_, request)) = self.nodes.remove(&id) else {
            return false;
        };
        self.inner.gate.peers.set_static(id, false);
        // It may have ended by itself.
        self.inner.connections.remove(request).await.ok();
        let given_up = Err(DialError::GivenUp { id });
        self.inner.gate.waiters.answer(&id, &given_up);
        self.share_out().await;
        true
    }

    /// While a static node is connected by its own dial, ours waits longer and longer; after that it
    /// need not, however often the node does that, unless it was dialled a moment ago.
    async fn disconnected(&self, id: NodeId) {
        if let Some((_, request)) = self.nodes.get(&id) {
            // It may be removed meanwhile.
            self.inner.connections.reconsider(*request).await.ok();
        }
    }

    /// Leaves to nodes from sources what static ones do not take of the places for dialled peers.
    async fn share_out(&self) {
        let places = self.inner.gate.peers.seats().dialled();
        let target = places.saturating_sub(self.nodes.len());
        // It only fails when the manager stops, and all requests end with it.
        self.inner.connections.set_target(target).await.ok();
    }
}

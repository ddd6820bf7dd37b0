//! The task that keeps static nodes connected.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, MutexGuard};

use tracing::{debug, warn};

use super::configured::Configured;
use super::{Command, Inbox, StaticNode};
use crate::connmgr::{ManagerError, Refusal, ReqId, RetryPolicy};
use crate::node::{Enode, NodeId};
use crate::peer::EndCause;
use crate::server::dial::candidate;
use crate::server::shared::Shared;
use crate::server::{ConnectionEvent, DialError, ServerConfig, StaticNodeError};
use crate::setup::SetupError;

/// How many times to try to add a node. Its request may end during a try.
const TRIES: usize = 4;

/// The task that owns the static nodes, with one connection request each.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    retry: RetryPolicy,
    nodes: HashMap<NodeId, (Enode, ReqId)>,
    configured: Configured,
}

impl Keeper {
    pub(crate) fn new(shared: Arc<Shared>, retry: RetryPolicy) -> Self {
        let configured = Configured::new(&shared.checks.config.lock());
        Self {
            shared,
            retry,
            nodes: HashMap::new(),
            configured,
        }
    }

    /// Executes commands one by one, until the server stops.
    pub(crate) async fn run(mut self, mut inbox: Inbox) {
        let stopping = self.shared.tasks.stopping.clone();
        loop {
            let command = tokio::select! {
                // A stop is polled first. Ended connections and bans are polled before commands,
                // since a command may concern them.
                biased;
                () = stopping.cancelled() => return,
                () = inbox.ended.changed.notified() => {
                    for id in inbox.ended.take() {
                        self.reconsider(id).await;
                    }
                    continue;
                }
                command = inbox.commands.recv() => command,
            };
            // An answer is dropped if its caller is gone.
            match command {
                None => return,
                Some(Command::Add { node, reply }) => {
                    let added = self.add(node).await;
                    self.share_out().await;
                    reply.send(added).ok();
                }
                Some(Command::Remove { id, reply }) => {
                    let removed = self.remove(id).await;
                    self.share_out().await;
                    reply.send(removed).ok();
                }
                Some(Command::List { reply }) => {
                    reply.send(self.list().await).ok();
                }
                Some(Command::Config { reply }) => {
                    self.apply_config().await;
                    reply.send(()).ok();
                }
            }
        }
    }

    /// Applies what the configuration has changed since the last call.
    async fn apply_config(&mut self) {
        let config = self.shared.checks.config.lock().clone();
        let changes = self.configured.change(&config);
        self.limit_dials(&config).await;
        for id in changes.removed {
            self.remove(id).await;
        }
        if changes.networks {
            // Nodes may be in a permitted network now, so earlier refusals no longer count.
            let mut ids: Vec<_> = self.nodes.keys().copied().collect();
            ids.sort_unstable();
            for id in ids {
                self.reconsider(id).await;
            }
        }
        let (nodes, seats) = (config.static_nodes(), self.shared.checks.peers.seats());
        if !changes.added.is_empty() && nodes.len() > seats.all {
            warn!(
                static_nodes = nodes.len(),
                max_peers = seats.all,
                "there are more static nodes than seats for peers"
            );
        }
        for node in changes.added {
            self.add_configured(node).await;
        }
        self.share_out().await;
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
            self.configured.skipped(id);
        }
        let skipped = ConnectionEvent::StaticNodeSkipped { node, error };
        self.shared.connection_events.emit(skipped);
    }

    async fn add(&mut self, node: Enode) -> Result<(), StaticNodeError> {
        let id = node.node_id();
        if node.tcp_endpoint().is_none() {
            return Err(StaticNodeError::NoEndpoint { id });
        }
        if id == self.shared.checks.own {
            return Err(StaticNodeError::Itself { id });
        }
        self.shared.checks.peers.set_static(id, true);
        let requested = self.request(&node).await;
        match requested {
            Ok(request) => {
                self.nodes.insert(id, (node, request));
                self.configured.forget(&id);
            }
            Err(_) if self.nodes.contains_key(&id) => {}
            Err(_) => self.shared.checks.peers.set_static(id, false),
        }
        requested.map(drop).map_err(|error| match error {
            ManagerError::Stopped => StaticNodeError::Stopped,
            ManagerError::Refused(cause) => StaticNodeError::NotAllowed { id, cause },
            source => StaticNodeError::Manager { id, source },
        })
    }

    /// Makes the request for a node permanent, or creates a permanent request.
    async fn request(&self, node: &Enode) -> Result<ReqId, ManagerError> {
        let connections = &self.shared.connections;
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
                    // The request has ended for good, because its node could not be dialled.
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
        self.configured.forget(&id);
        let Some((_, request)) = self.nodes.remove(&id) else {
            return false;
        };
        self.shared.checks.peers.set_static(id, false);
        // The connection manager also closes the connection, but would not report this cause.
        if let Some(peer) = self.shared.checks.peers.get(&id) {
            peer.end(EndCause::Removed);
        }
        // This call fails if the request has ended on its own, which does no harm.
        self.shared.connections.remove(request).await.ok();
        let given_up = Err(DialError::GivenUp { id });
        self.shared.checks.waiters.answer(&id, &given_up);
        self.failures().remove(&id);
        true
    }

    /// Returns the nodes, sorted by node id.
    async fn list(&self) -> Vec<StaticNode> {
        // This call fails only when the connection manager stops, which ends all requests.
        let requests = self.shared.connections.list().await.unwrap_or_default();
        let requests: HashMap<_, _> = requests.into_iter().map(|info| (info.id, info)).collect();
        let failures = self.failures();
        let describe = |(id, (node, request)): (&NodeId, &(Enode, ReqId))| {
            let connected = self.shared.checks.peers.get(id).is_some();
            let info = requests.get(request);
            // A ban takes precedence over earlier failures.
            let error = if self.shared.checks.is_banned(id) {
                Some(self.banned(*id))
            } else {
                failures.get(id).cloned()
            };
            StaticNode {
                node: node.clone(),
                connected,
                failures: info.map_or(0, |info| info.failures),
                next_dial: info.and_then(|info| info.next_dial),
                error: error.filter(|_| !connected),
            }
        };
        let mut all: Vec<_> = self.nodes.iter().map(describe).collect();
        all.sort_by_key(|node| node.node.node_id());
        all
    }

    fn banned(&self, id: NodeId) -> DialError {
        DialError::Setup {
            id,
            addr: None,
            source: Arc::new(SetupError::Banned { id }),
        }
    }

    /// Shortens the wait of a static node whose connection or ban has ended.
    ///
    /// While the connection or ban lasted, this side rejected dials of the node, which made the
    /// wait longer. These dials no longer count, but the wait after the last real attempt remains.
    /// The error of an earlier dial is forgotten, since it no longer keeps the node away.
    async fn reconsider(&self, id: NodeId) {
        self.failures().remove(&id);
        if let Some((_, request)) = self.nodes.get(&id) {
            // This call fails if the request has ended in the meantime, which does no harm.
            self.shared.connections.reconsider(*request).await.ok();
        }
    }

    async fn limit_dials(&self, config: &ServerConfig) {
        let connections = &self.shared.connections;
        let (max, timeout) = (config.max_dials(), config.dial_timeout());
        let limited = connections.set_dial_limits(max, timeout, config.dial_rate());
        // This call fails only when the connection manager stops.
        limited.await.ok();
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<NodeId, DialError>> {
        self.shared.static_nodes.failures.0.lock()
    }

    /// Lets nodes from sources take the seats for dialled peers that no static node needs.
    async fn share_out(&self) {
        let places = self.shared.checks.peers.seats().dialled();
        let target = places.saturating_sub(self.nodes.len());
        // This call fails only when the connection manager stops, which ends all requests.
        self.shared.connections.set_target(target).await.ok();
    }
}

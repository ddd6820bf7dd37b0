//! Tests whether doubtful nodes of the store still answer.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::open;
use crate::connmgr::{ConnectError, Dialer};
use crate::guarded::caught_async;
use crate::node::{Endpoint, Enode};
use crate::p2p::DisconnectReason;
use crate::server::DialError;
use crate::server::shared::Shared;
use crate::setup::{SetupError, initiate_in_turn};
use crate::stage::Stage;
use crate::time::part;
use crate::transport::Transport;

/// The task that probes nodes, one at a time.
///
/// Probes start at random times, `interval` apart on average. No probe starts while the network is
/// down.
pub(crate) struct Prober<D> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dialer: Arc<D>,
    pub(crate) interval: Duration,
}

impl<D: Dialer<Addr = Enode, Io: Transport>> Prober<D> {
    /// Runs until the server stops. The stop also ends a running probe.
    pub(crate) async fn run(self) {
        let stopping = self.shared.tasks.stopping.clone();
        let rng = self.shared.random.fork();
        stopping.run_until_cancelled(self.probe_on(rng)).await;
    }

    async fn probe_on(&self, mut rng: StdRng) {
        loop {
            let half = part(self.interval, 2);
            let wait = rng.random_range(half..=self.interval.saturating_add(half));
            sleep(wait).await;
            // This call fails once the connection manager has stopped.
            let Ok(counts) = self.shared.connections.counts().await else {
                return;
            };
            if counts.offline {
                continue;
            }
            let store = &self.shared.checks.store;
            if let Some(node) = store.probe() {
                self.probe(&node).await;
            }
        }
    }

    /// Connects to a node, waits until its Hello proves its key, and disconnects.
    async fn probe(&self, node: &Enode) {
        let (id, store) = (node.node_id(), &self.shared.checks.store);
        if self.shared.checks.check_node(node).is_err() {
            return;
        }
        match self.ask(node).await {
            Ok(()) => {
                debug!(%id, "probe answered");
                store.good(node);
            }
            Err(error) => {
                debug!(%id, %error, "probe failed");
                store.learn(node, &error);
            }
        }
    }

    async fn ask(&self, node: &Enode) -> Result<(), DialError> {
        let shared = &self.shared;
        let dial = open(&*self.dialer, &shared.checks, node);
        let dial = caught_async("the dialer", dial);
        let limit = shared.checks.config.lock().dial_timeout();
        let dialled = match timeout(limit, dial).await {
            Ok(dialled) => dialled.unwrap_or(Err(ConnectError::Broken)),
            Err(_) => Err(ConnectError::Timeout),
        };
        let stream = dialled.map_err(|error| DialError::of_dial(node, error))?;
        let introduce = async {
            let (key, remote) = (&shared.key, node.public_key());
            let initiate = initiate_in_turn(stream, key, remote, &shared.random, None);
            let authenticated = initiate.await?;
            authenticated.exchange_hello(&shared.hello).await
        };
        let introduced = timeout(shared.setup_timeout, introduce).await;
        let result = introduced.unwrap_or(Err(SetupError::TimedOut {
            stage: Stage::Hello,
            after: shared.setup_timeout,
        }));
        match result {
            Ok(established) => {
                established.refuse(DisconnectReason::REQUESTED).await;
                Ok(())
            }
            Err(error) => Err(DialError::Setup {
                id: node.node_id(),
                addr: node.endpoint().and_then(Endpoint::socket_addr),
                source: Arc::new(error),
            }),
        }
    }
}

//! Sets the gauges that are sampled at intervals, not updated with each change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::shared::Shared;
use crate::calendar::wall;
use crate::metrics::table::{
    ADDRESS_BOOK, BANS, DISCOVERY_TABLE, MEMORY_LIMIT, MEMORY_USED, PEERS_MAX, QUEUED_BYTES,
    QUEUED_MESSAGES, START_TIME, STATIC_NODES,
};
use crate::metrics::{Gauge, SharedString};
use crate::p2p::Capability;
use crate::peer::{Peer, Protocol, Waiting};

/// The time between two samples.
///
/// Prometheus scrapes at most every few seconds, and a sample of a thousand peers takes less than 1
/// ms.
const EVERY: Duration = Duration::from_secs(5);

/// Sets the gauges until the server stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let gauges = Gauges::new(&shared);
    let stopping = shared.tasks.stopping.clone();
    let sampling = async {
        loop {
            gauges.sample(&shared).await;
            sleep(EVERY).await;
        }
    };
    stopping.run_until_cancelled(sampling).await;
    gauges.clear();
}

/// Messages and bytes of one protocol in one direction.
struct Queued {
    messages: Gauge,
    bytes: Gauge,
}

impl Queued {
    fn set(&self, (messages, bytes): (usize, usize)) {
        self.messages.set(messages as f64);
        self.bytes.set(bytes as f64);
    }
}

struct Gauges {
    peers_max: Gauge,
    static_connected: Gauge,
    static_waiting: Gauge,
    node_used: Gauge,
    node_limit: Gauge,
    peer_used: Gauge,
    peer_limit: Gauge,
    new: Gauge,
    tried: Gauge,
    banned_nodes: Gauge,
    banned_ips: Gauge,
    v4: Gauge,
    v5: Gauge,
    /// For each protocol, the received and the unsent messages.
    queued: BTreeMap<Capability, [Queued; 2]>,
}

impl Gauges {
    fn new(shared: &Shared) -> Self {
        let node = shared.meters.node();
        let since = wall().duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default().as_secs_f64();
        START_TIME.of(node, []).set(since);
        let queued = |protocol: &Protocol| {
            let capability = protocol.capability();
            let name = || SharedString::from(capability.to_string());
            let queued = ["ingress", "egress"].map(|direction| Queued {
                messages: QUEUED_MESSAGES.of(node, [name(), direction.into()]),
                bytes: QUEUED_BYTES.of(node, [name(), direction.into()]),
            });
            (capability.clone(), queued)
        };
        Self {
            peers_max: PEERS_MAX.of(node, []),
            static_connected: STATIC_NODES.of(node, ["connected".into()]),
            static_waiting: STATIC_NODES.of(node, ["waiting".into()]),
            node_used: MEMORY_USED.of(node, ["node".into()]),
            node_limit: MEMORY_LIMIT.of(node, ["node".into()]),
            peer_used: MEMORY_USED.of(node, ["peer".into()]),
            peer_limit: MEMORY_LIMIT.of(node, ["peer".into()]),
            new: ADDRESS_BOOK.of(node, ["new".into()]),
            tried: ADDRESS_BOOK.of(node, ["tried".into()]),
            banned_nodes: BANS.of(node, ["node".into()]),
            banned_ips: BANS.of(node, ["ip".into()]),
            v4: DISCOVERY_TABLE.of(node, ["v4".into()]),
            v5: DISCOVERY_TABLE.of(node, ["v5".into()]),
            queued: shared.protocols.iter().map(queued).collect(),
        }
    }

    async fn sample(&self, shared: &Shared) {
        let checks = &shared.checks;
        self.peers_max.set(checks.peers.seats().all as f64);
        let budget = shared.options.budget();
        let limits = budget.limits();
        self.node_used.set(budget.used() as f64);
        self.node_limit.set(limits.per_node() as f64);
        self.peer_used.set(budget.largest() as f64);
        self.peer_limit.set(limits.per_peer() as f64);
        let (kept, (nodes, ips)) = (checks.store.sizes(), checks.bans.count());
        self.new.set(kept.new as f64);
        self.tried.set(kept.tried as f64);
        let sum = |kept: usize, own: usize| kept.saturating_add(own) as f64;
        self.banned_nodes.set(sum(kept.banned_nodes, nodes));
        self.banned_ips.set(sum(kept.banned_ips, ips));
        self.sample_queues(shared);
        self.sample_tables(shared).await;
        // This call fails only when the server stops.
        let nodes = shared.static_nodes.list().await.unwrap_or_default();
        let connected = nodes.iter().filter(|node| node.connected).count();
        self.static_connected.set(connected as f64);
        let waiting = nodes.len().saturating_sub(connected);
        self.static_waiting.set(waiting as f64);
    }

    fn sample_queues(&self, shared: &Shared) {
        let mut sums: BTreeMap<&Capability, Waiting> = BTreeMap::new();
        let peers = shared.checks.peers.snapshot();
        for (capability, waiting) in peers.iter().flat_map(Peer::waiting) {
            let sum = sums.entry(capability).or_default();
            sum.ingress = add(sum.ingress, waiting.ingress);
            sum.egress = add(sum.egress, waiting.egress);
        }
        for (capability, [ingress, egress]) in &self.queued {
            let sum = sums.get(capability).copied().unwrap_or_default();
            ingress.set(sum.ingress);
            egress.set(sum.egress);
        }
    }

    #[cfg_attr(
        not(any(feature = "discv4", feature = "discv5")),
        expect(unused_variables, clippy::unused_async, reason = "there are no tables")
    )]
    async fn sample_tables(&self, shared: &Shared) {
        #[cfg(feature = "discv4")]
        if let Some(v4) = &shared.discv4 {
            // Discovery may have ended before the server.
            let table = v4.table().await.unwrap_or_default();
            self.v4.set(table.len() as f64);
        }
        #[cfg(feature = "discv5")]
        if let Some(v5) = &shared.discv5 {
            self.v5.set(v5.table_len() as f64);
        }
    }

    /// Sets all gauges to zero, since the process may outlive the server.
    fn clear(&self) {
        let all = [
            &self.peers_max,
            &self.static_connected,
            &self.static_waiting,
            &self.node_used,
            &self.node_limit,
            &self.peer_used,
            &self.peer_limit,
            &self.new,
            &self.tried,
            &self.banned_nodes,
            &self.banned_ips,
            &self.v4,
            &self.v5,
        ];
        all.into_iter().for_each(|gauge| gauge.set(0));
        for queued in self.queued.values().flatten() {
            queued.set((0, 0));
        }
    }
}

fn add(one: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

//! Connects discovery with the server.

#[cfg(not(feature = "discv5"))]
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::debug;

#[cfg(feature = "discv4")]
use super::kept::Kept;
#[cfg(feature = "discv5")]
use super::refresh;
use super::started::Running;
#[cfg(feature = "discv4")]
use crate::discv4::Observation;
#[cfg(feature = "discv4")]
use crate::event_stream::EventStream;
use crate::node::NodeRecord;
use crate::server::checks::NodeStore;
use crate::server::shared::Shared;

/// A report of the address at which another node sees this one.
struct Seen {
    by: SocketAddr,
    seen: SocketAddr,
}

/// Passes data between discovery and the server until the server stops.
///
/// Discovery receives new versions of the node's record. The record receives the addresses at which
/// others see this node, and the store receives nodes worth keeping.
pub(crate) async fn run(shared: Arc<Shared>, mut running: Running) {
    let stopping = shared.tasks.stopping.clone();
    let mut records = shared.local_node.watch();
    #[cfg(feature = "discv4")]
    let mut observations = running.v4.as_ref().map(crate::discv4::Discv4::observations);
    #[cfg(not(feature = "discv4"))]
    let mut observations = None;
    #[cfg(feature = "discv4")]
    let mut kept = (running.v4.clone()).map(|v4| Kept::new(v4, running.filter.clone()));
    #[cfg(not(feature = "discv4"))]
    let mut kept = None;
    let store = Arc::clone(&shared.checks.store);
    #[cfg(all(feature = "discv4", feature = "discv5"))]
    let introduced = introduce(&mut running);
    #[cfg(not(all(feature = "discv4", feature = "discv5")))]
    let introduced = pending::<()>();
    tokio::pin!(introduced);
    #[cfg(feature = "discv5")]
    let refreshed = refresh::run(running.v5.clone(), shared.hello.public_key.node_id());
    #[cfg(not(feature = "discv5"))]
    let refreshed = pending::<Infallible>();
    tokio::pin!(refreshed);
    let mut introducing = true;
    loop {
        tokio::select! {
            // The server's stop is polled first, then rare events.
            biased;
            () = stopping.cancelled() => break,
            changed = records.changed() => {
                let record = records.borrow_and_update().clone();
                if changed.is_err() {
                    break;
                }
                set_record(&running, record).await;
            }
            () = &mut introduced, if introducing => introducing = false,
            () = tell_kept(&mut kept, &*store) => {}
            never = &mut refreshed => match never {},
            Seen { by, seen } = v4_seen(&mut observations) => {
                shared.local_node.vote(by, seen, Instant::now());
            }
            Seen { by, seen } = running.next_of_v5() => {
                shared.local_node.vote(by, seen, Instant::now());
            }
        }
    }
    #[cfg(feature = "discv5")]
    if let Some(v5) = &running.v5 {
        v5.shutdown();
    }
    #[cfg(feature = "discv4")]
    if let Some(kept) = kept {
        kept.tell_all(&*store).await;
    }
    #[cfg(feature = "discv4")]
    if let Some(v4) = &running.v4 {
        v4.shutdown().await;
    }
}

#[cfg(feature = "discv4")]
async fn tell_kept(kept: &mut Option<Kept>, store: &dyn NodeStore) {
    match kept {
        Some(kept) => kept.tell_when_due(store).await,
        None => pending().await,
    }
}

#[cfg(not(feature = "discv4"))]
async fn tell_kept(_: &mut Option<()>, _: &dyn NodeStore) {
    pending::<()>().await;
}

/// Uses version 4 to fetch the bootnodes' records that version 5 lacks.
#[cfg(all(feature = "discv4", feature = "discv5"))]
fn introduce(running: &mut Running) -> impl Future<Output = ()> + Send + 'static + use<> {
    let nodes = std::mem::take(&mut running.without_record);
    let both = running.v4.clone().zip(running.v5.clone());
    async move {
        let Some((v4, v5)) = both else {
            return;
        };
        for node in nodes {
            match v4.request_record(&node).await {
                Ok(record) => {
                    if let Err(error) = v5.add(&record) {
                        debug!(%error, "Discovery v5 cannot use a bootnode");
                    }
                }
                Err(error) => debug!(%node, %error, "cannot fetch the record of a bootnode"),
            }
        }
    }
}

async fn set_record(running: &Running, record: NodeRecord) {
    #[cfg(feature = "discv5")]
    if let Some(Err(error)) = running.v5.as_ref().map(|v5| v5.set_record(&record)) {
        debug!(%error, "cannot change the record of Discovery v5");
    }
    #[cfg(feature = "discv4")]
    if let Some(v4) = &running.v4
        && let Err(error) = v4.set_record(record).await
    {
        debug!(%error, "cannot change the record of Discovery v4");
    }
}

#[cfg(feature = "discv4")]
async fn v4_seen(observations: &mut Option<EventStream<Observation>>) -> Seen {
    let Some(observations) = observations else {
        return pending().await;
    };
    loop {
        match observations.recv().await {
            Some(Ok(one)) => {
                return Seen {
                    by: one.at,
                    seen: one.seen_as,
                };
            }
            // Lost reports do not matter, since other nodes report the same.
            Some(Err(_)) => {}
            None => return pending().await,
        }
    }
}

#[cfg(not(feature = "discv4"))]
async fn v4_seen(_: &mut Option<()>) -> Seen {
    pending().await
}

impl Running {
    /// Passes packets to version 4 until a node reports this node's address. Cancel safe.
    #[cfg(feature = "discv5")]
    async fn next_of_v5(&mut self) -> Seen {
        let Some(events) = &mut self.events else {
            return pending().await;
        };
        loop {
            tokio::select! {
                // Rare events are polled first.
                biased;
                Some(one) = events.observed.recv() => {
                    return Seen { by: one.by, seen: one.seen };
                }
                Some(frame) = events.frames.recv() => {
                    #[cfg(feature = "discv4")]
                    if let Some(inlet) = &self.inlet {
                        // If the inlet has no room, the packet counts as lost in transit.
                        inlet.feed(crate::ip::canonical(frame.from), frame.packet);
                    }
                    #[cfg(not(feature = "discv4"))]
                    drop(frame);
                }
                else => return pending().await,
            }
        }
    }

    #[cfg(not(feature = "discv5"))]
    async fn next_of_v5(&mut self) -> Seen {
        pending().await
    }
}

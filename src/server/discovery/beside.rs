//! What passes between discovery and the server.

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

/// At which address somebody sees this node.
struct Seen {
    by: SocketAddr,
    seen: SocketAddr,
}

/// Passes the node's records on to discovery, what others see to the record, and nodes that are worth keeping to
/// the store, until the server stops.
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
            // The end first, then what is rare.
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

/// Has version 4 fetch the records of bootnodes that version 5 cannot begin with.
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
                        debug!(%error, "a bootnode is of no use for Discovery v5");
                    }
                }
                Err(error) => debug!(%node, %error, "no record of a bootnode"),
            }
        }
    }
}

async fn set_record(running: &Running, record: NodeRecord) {
    #[cfg(feature = "discv5")]
    if let Some(Err(error)) = running.v5.as_ref().map(|v5| v5.set_record(&record)) {
        debug!(%error, "the record of Discovery v5 does not change");
    }
    #[cfg(feature = "discv4")]
    if let Some(v4) = &running.v4
        && let Err(error) = v4.set_record(record).await
    {
        debug!(%error, "the record of Discovery v4 does not change");
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
            // Others will say the same.
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
    /// Hands version 4 its packets, until somebody says at which address it sees this node. Cancel safe.
    #[cfg(feature = "discv5")]
    async fn next_of_v5(&mut self) -> Seen {
        let Some(events) = &mut self.events else {
            return pending().await;
        };
        loop {
            tokio::select! {
                // What is rare first.
                biased;
                Some(one) = events.observed.recv() => {
                    return Seen { by: one.by, seen: one.seen };
                }
                Some(frame) = events.frames.recv() => {
                    #[cfg(feature = "discv4")]
                    if let Some(inlet) = &self.inlet {
                        // One that finds no room is as one that was lost on its way.
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

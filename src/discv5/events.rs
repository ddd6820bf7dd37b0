//! Unsolicited events of discovery.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use discv5::Event;
use futures::future::join_all;
use rand::seq::IteratorRandom;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Discv5Config;
use super::record::is_public;
use super::talk::Talks;
use crate::mutex::Mutex;

/// Maximum number of queued packets of other protocols.
const FRAMES: usize = 256;

/// Maximum number of queued observations.
const OBSERVATIONS: usize = 64;

/// How many nodes are asked at a time how they see this node.
///
/// A server needs the observations of ten networks within five minutes. At the default interval, it
/// gets forty observations in that time.
const ASKED: usize = 4;

/// A packet that does not belong to Discovery v5.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The sender's address.
    pub from: SocketAddr,
    /// The whole packet.
    pub packet: Bytes,
}

/// This node's address, as another node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// The other node's address, which its answer has proven.
    pub by: SocketAddr,
    /// The address at which the other node sees this node.
    pub seen: SocketAddr,
}

/// Unsolicited events of discovery.
///
/// Events that are not read in time are dropped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Discv5Events {
    /// Packets of other protocols on the same socket; at most 256 are queued.
    pub frames: mpsc::Receiver<Frame>,
    /// Addresses at which others see this node; at most 64 are queued.
    pub observed: mpsc::Receiver<Observed>,
    pub(super) dropped: Arc<AtomicU64>,
}

impl Discv5Events {
    /// Returns the number of packets of other protocols that were dropped for lack of room.
    #[must_use]
    pub fn dropped_frames(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The sending end of [`Discv5Events::frames`], and the number of dropped packets.
pub(super) struct Outlets {
    frames: mpsc::Sender<Frame>,
    dropped: Arc<AtomicU64>,
}

/// Creates the sending and the receiving ends.
pub(super) fn outlets() -> (Outlets, mpsc::Sender<Observed>, Discv5Events) {
    let (frame, frames) = mpsc::channel(FRAMES);
    let (observe, observed) = mpsc::channel(OBSERVATIONS);
    let dropped = Arc::new(AtomicU64::new(0));
    let outlets = Outlets {
        frames: frame,
        dropped: Arc::clone(&dropped),
    };
    let events = Discv5Events {
        frames,
        observed,
        dropped,
    };
    (outlets, observe, events)
}

/// The running service, from a task that does not keep it running.
pub(super) type WeakService = Weak<Mutex<Option<discv5::Discv5>>>;

/// Handles the events of the crate `discv5`. It waits for nothing but the next event, because the
/// crate waits until its events are taken.
pub(super) async fn listen(
    mut events: mpsc::Receiver<Event>,
    service: WeakService,
    outlets: Outlets,
    talks: Talks,
    config: Discv5Config,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(config.max_talks()));
    let answers = TaskTracker::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::TalkRequest(request) => {
                if let Some(answer) = talks.answer(request, &places) {
                    let stop = stop.clone();
                    answers.spawn(async move {
                        stop.run_until_cancelled(answer).await;
                    });
                }
            }
            Event::UnrecognizedFrame(frame) => {
                let frame = Frame {
                    from: frame.src_address,
                    packet: frame.packet.into(),
                };
                if outlets.frames.try_send(frame).is_err() {
                    outlets.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            // The crate filters the nodes that others name, but not those that contact this node.
            Event::NodeInserted { node_id, .. } if !config.private_networks() => {
                if let Some(service) = service.upgrade()
                    && let Some(service) = service.lock().as_ref()
                {
                    expel(service, &node_id);
                }
            }
            _ => {}
        }
    }
}

/// Removes a node from the table unless its addresses are public.
fn expel(service: &discv5::Discv5, node: &enr::NodeId) {
    if service.find_enr(node).is_some_and(|enr| !is_public(&enr)) {
        service.remove_node(node);
    }
}

/// Periodically asks some nodes in the table at which address they see this node.
pub(super) async fn observe(
    service: WeakService,
    interval: Duration,
    observed: mpsc::Sender<Observed>,
) {
    loop {
        tokio::time::sleep(interval).await;
        let service = service.upgrade();
        let Some(asked) = service.and_then(|service| service.lock().as_ref().map(ask_some)) else {
            return;
        };
        for seen in join_all(asked).await.into_iter().flatten() {
            // A full queue is ignored, because the user need not read the observations.
            let _ = observed.try_send(seen);
        }
    }
}

/// Pings random ones of the nodes in the table that answered last time.
pub(super) fn ask_some(
    service: &discv5::Discv5,
) -> Vec<impl Future<Output = Option<Observed>> + Send + 'static + use<>> {
    let connected = service.table_entries().into_iter();
    let connected = connected.filter(|(_, _, status)| status.is_connected());
    let some = connected.sample(&mut rand::rng(), ASKED);
    let asked = some.into_iter().filter_map(|(_, enr, _)| {
        let by = service.ip_mode().get_contactable_addr(&enr)?;
        Some((by, service.send_ping(enr)))
    });
    let answers = asked.map(|(by, ping)| async move {
        let pong = ping.await.ok()?;
        let seen = SocketAddr::new(pong.ip, pong.port);
        Some(Observed { by, seen })
    });
    answers.collect()
}

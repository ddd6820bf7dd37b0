//! Streams of ids that something happened to.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::PeerId;
use super::queue::{Bound, Queue, Reader};
use crate::mutex::Mutex;

/// How many ids a slow reader may be behind before it loses the oldest.
const BACKLOG: usize = 1024;

/// Tells ids to everybody who listens. Telling never waits.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    listeners: Mutex<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    queues: Vec<Arc<Queue<PeerId>>>,
    closed: bool,
}

impl Feed {
    pub(crate) fn listen(&self) -> PeerIds {
        let bound = Bound {
            items: BACKLOG,
            weight: usize::MAX,
        };
        let queue = Queue::new(bound);
        let mut listeners = self.lock();
        if listeners.closed {
            queue.close();
        } else {
            listeners.queues.retain(|queue| !queue.is_closed());
            listeners.queues.push(Arc::clone(&queue));
        }
        PeerIds(Reader(queue))
    }

    pub(crate) fn tell(&self, id: PeerId) {
        let mut listeners = self.lock();
        listeners.queues.retain(|queue| !queue.is_closed());
        for queue in &listeners.queues {
            queue.push_over_oldest(id);
        }
    }

    pub(crate) fn close(&self) {
        let mut listeners = self.lock();
        listeners.closed = true;
        for queue in listeners.queues.drain(..) {
            queue.close();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Listeners> {
        self.listeners.lock()
    }
}

/// A stream of ids, which ends when the layer stops.
///
/// It is bounded: a reader that falls 1024 ids behind loses the oldest of them.
#[derive(Debug)]
pub struct PeerIds(Reader<PeerId>);

impl PeerIds {
    /// How many ids were lost because they were not read in time.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.0.dropped()
    }
}

impl Stream for PeerIds {
    type Item = PeerId;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerId>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

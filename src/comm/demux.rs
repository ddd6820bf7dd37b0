//! Received messages, handed to the subscriptions whose predicate matches.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::PeerId;
use crate::guarded::caught;
use crate::mutex::Mutex;
use crate::queue::{Bound, Full, Queue, Reader};
use crate::settings::settings;
use crate::time::after;

/// What happens to a message that a subscription has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The connection that the message came from waits, at most so long: its other messages, for
    /// other subscriptions too, wait with it, acknowledgements do not until its receive queue is
    /// full. After that the message is dropped for this subscription and counted, and so are all
    /// further ones until the subscription reads again.
    Wait(Duration),
    /// A message is dropped for this subscription, and counted: the newest of the identity of which
    /// most waits, which is the new one unless another identity's messages take up more.
    DropNewest,
    /// Messages are dropped for this subscription, and counted: the oldest of the identity of which
    /// most waits, the new message counted in, until there is room. A new message that outweighs what
    /// each other identity has is dropped itself where its identity has no older one.
    DropOldest,
    /// The subscription is closed; what it holds can still be read.
    Close,
}

settings! {
    /// The bounds of one subscription. One that is empty takes a message in any case. The identities
    /// that messages come from are served in turn.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SubscriptionConfig {
        /// How many messages may wait to be read. Default: 256.
        messages / with_messages: usize = 256;
        /// How many payload bytes may wait. Default: 4 MiB.
        bytes / with_bytes: usize = 4 << 20;
        /// What happens when there is no room. Default: [`Overflow::DropNewest`].
        overflow / with_overflow: Overflow = Overflow::DropNewest;
    }
}

type Predicate<T> = dyn Fn(&T) -> bool + Send + Sync;

/// Hands messages to subscriptions.
///
/// ```
/// use peermux::comm::{Demux, SubscriptionConfig};
/// use futures::StreamExt;
///
/// # tokio_test::block_on(async {
/// let demux = Demux::new();
/// let mut even = demux.subscribe(SubscriptionConfig::default(), |n: &u32| n % 2 == 0);
/// for n in 0..4 {
///     demux.publish(&n, 4).await;
/// }
/// demux.close();
/// assert_eq!((even.next().await, even.next().await), (Some(0), Some(2)));
/// assert_eq!(even.next().await, None);
/// # });
/// ```
pub struct Demux<T> {
    subscribers: Mutex<Subscribers<T>>,
}

struct Subscribers<T> {
    /// Replaced as a whole, so that a message takes no copy of it.
    slots: Arc<Vec<Arc<Slot<T>>>>,
    closed: bool,
}

struct Slot<T> {
    predicate: Box<Predicate<T>>,
    queue: Arc<Queue<T, Option<PeerId>>>,
    overflow: Overflow,
    /// The subscription has used up its waiting time and has not read since.
    stalled: AtomicBool,
}

impl<T> Subscribers<T> {
    /// Leaves those out that nobody reads any more, and adds one.
    fn replace(&mut self, new: Option<Slot<T>>) {
        let open = self.slots.iter().filter(|slot| !slot.queue.is_closed());
        let slots = open.cloned().chain(new.map(Arc::new)).collect();
        self.slots = Arc::new(slots);
    }
}

impl<T> Default for Demux<T> {
    fn default() -> Self {
        let subscribers = Subscribers {
            slots: Arc::new(Vec::new()),
            closed: false,
        };
        Self {
            subscribers: Mutex::new(subscribers),
        }
    }
}

impl<T: Clone> Demux<T> {
    /// Without subscriptions yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a subscription to all messages for which `predicate` holds; after
    /// [`close`](Self::close) one that has ended. It ends when it is dropped, and when the
    /// predicate panics.
    pub fn subscribe(
        &self,
        config: SubscriptionConfig,
        predicate: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Subscription<T> {
        let queue = Queue::new(Bound {
            items: config.messages(),
            weight: config.bytes(),
        });
        let mut subscribers = self.lock();
        if subscribers.closed {
            queue.close();
        } else {
            subscribers.replace(Some(Slot {
                predicate: Box::new(predicate),
                queue: Arc::clone(&queue),
                overflow: config.overflow(),
                stalled: AtomicBool::new(false),
            }));
        }
        Subscription(Reader(queue))
    }

    /// Hands a message of `size` bytes to all subscriptions whose predicate holds, in the order
    /// in which they were added; those with room have it at once, for the others each one's
    /// policy decides. Returns to how many it was given. After [`close`](Self::close) no
    /// predicate is called.
    ///
    /// A dropped call has given the message to some of the subscriptions.
    pub async fn publish(&self, message: &T, size: usize) -> usize {
        self.hand_out(None, message, size).await
    }

    /// As [`publish`](Self::publish), with a message that comes from an identity: subscriptions
    /// serve identities in turn, and one that floods loses its own messages first.
    pub async fn publish_from(&self, source: PeerId, message: &T, size: usize) -> usize {
        self.hand_out(Some(source), message, size).await
    }

    async fn hand_out(&self, source: Option<PeerId>, message: &T, size: usize) -> usize {
        let (at_once, waiting) = self.offer(source, message, size);
        at_once.taken + waiting.finish(source, message, size).await.taken
    }

    /// As [`publish`](Self::publish), without waiting: the subscriptions that have to be waited
    /// for are left.
    pub(crate) fn offer(
        &self,
        source: Option<PeerId>,
        message: &T,
        size: usize,
    ) -> (Given, Waiting<T>) {
        let slots = {
            let mut subscribers = self.lock();
            if subscribers.slots.iter().any(|slot| slot.queue.is_closed()) {
                subscribers.replace(None);
            }
            Arc::clone(&subscribers.slots)
        };
        let mut given = Given::default();
        let mut waiting = Waiting(Vec::new());
        for slot in slots.iter().filter(|slot| slot.wants(message)) {
            match slot.offer(source, message, size) {
                Offer::Taken { crowded_out } => {
                    given.taken += 1;
                    given.lost += crowded_out;
                }
                Offer::Lost => given.lost += 1,
                Offer::Gone => {}
                Offer::Wait(limit) => waiting.0.push((Arc::clone(slot), limit)),
            }
        }
        (given, waiting)
    }

    /// Ends all subscriptions, whose waiting messages can still be read, and whoever waits in
    /// [`publish`](Self::publish). A second call does nothing.
    pub fn close(&self) {
        let mut subscribers = self.lock();
        subscribers.closed = true;
        for slot in std::mem::take(&mut subscribers.slots).iter() {
            slot.queue.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers<T>> {
        self.subscribers.lock()
    }
}

/// How many subscriptions got a message, and how many messages were lost for one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) taken: usize,
    pub(crate) lost: usize,
}

/// The subscriptions without room that one message waits for.
pub(crate) struct Waiting<T>(Vec<(Arc<Slot<T>>, Duration)>);

impl<T: Clone> Waiting<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits, for each as long as its policy allows.
    pub(crate) async fn finish(self, source: Option<PeerId>, message: &T, size: usize) -> Given {
        let waits = self
            .0
            .iter()
            .map(|(slot, limit)| slot.wait(source, message, size, *limit));
        let mut given = Given::default();
        for offer in join_all(waits).await {
            match offer {
                Offer::Taken { .. } => given.taken += 1,
                Offer::Lost => given.lost += 1,
                Offer::Gone | Offer::Wait(_) => {}
            }
        }
        given
    }
}

enum Offer {
    Taken {
        /// How many messages of other sources made room.
        crowded_out: usize,
    },
    /// There was no room.
    Lost,
    /// Nobody reads any more.
    Gone,
    Wait(Duration),
}

impl<T: Clone> Slot<T> {
    /// Asks the predicate. One that panics ends its subscription.
    fn wants(&self, message: &T) -> bool {
        let wants = caught("a predicate", || (self.predicate)(message));
        wants.unwrap_or_else(|| {
            self.queue.close();
            false
        })
    }

    fn offer(&self, source: Option<PeerId>, message: &T, size: usize) -> Offer {
        let message = message.clone();
        let pushed = match self.overflow {
            Overflow::DropNewest => self.queue.push_fairly(source, message, size),
            Overflow::DropOldest => self.queue.push_over_oldest(source, message, size),
            _ => self.queue.push_from(source, message, size).map(|()| 0),
        };
        match pushed {
            Ok(crowded_out) => {
                self.set_stalled(false);
                return Offer::Taken { crowded_out };
            }
            Err(Full::Closed) => return Offer::Gone,
            Err(Full::NoRoom(_)) => {}
        }
        match self.overflow {
            Overflow::Wait(limit) if !self.is_stalled() => return Offer::Wait(limit),
            Overflow::Close => self.queue.close(),
            _ => {}
        }
        self.queue.count_dropped();
        Offer::Lost
    }

    async fn wait(
        &self,
        source: Option<PeerId>,
        message: &T,
        size: usize,
        limit: Duration,
    ) -> Offer {
        let deadline = after(Instant::now(), limit);
        loop {
            if timeout_at(deadline, self.queue.room(size)).await.is_err() {
                self.set_stalled(true);
                self.queue.count_dropped();
                return Offer::Lost;
            }
            match self.queue.push_from(source, message.clone(), size) {
                Ok(()) => return Offer::Taken { crowded_out: 0 },
                Err(Full::Closed) => return Offer::Gone,
                // Another connection was faster.
                Err(Full::NoRoom(_)) => {}
            }
        }
    }

    fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }
}

/// A stream of the messages that one predicate selects. It ends when the layer stops; dropping it
/// unsubscribes.
pub struct Subscription<T>(Reader<T, Option<PeerId>>);

impl<T> Subscription<T> {
    /// How many messages were dropped because they were not read in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped()
    }
}

impl<T> Stream for Subscription<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Demux<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demux").finish_non_exhaustive()
    }
}

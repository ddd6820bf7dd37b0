//! Hands received messages to the subscriptions whose predicate matches.

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
///
/// A message is dropped for this subscription only, and [`Subscription::dropped`] counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The connection that received the message waits for room, for this time at most.
    ///
    /// Later messages of the connection wait too, including those for other subscriptions.
    /// Acknowledgements wait only when the connection's receive queue is full. If there is still no
    /// room after this time, the message is dropped, and so are all further messages until the
    /// subscription reads again.
    Wait(Duration),
    /// The identity whose waiting messages take up the most room loses its newest message.
    ///
    /// That is the new message itself, unless the waiting messages of another identity take up
    /// more room.
    DropNewest,
    /// The identity whose waiting messages take up the most room loses its oldest messages.
    ///
    /// Messages are dropped until there is room. The new message counts as waiting. If its identity
    /// takes up the most room, but has no older message, the new message itself is dropped.
    DropOldest,
    /// The subscription closes; its waiting messages can still be read.
    Close,
}

settings! {
    /// The bounds of one subscription.
    ///
    /// A subscription in which no message waits accepts a message of any size. The messages of
    /// different identities are read in turn.
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
    /// The list is never changed, only replaced. So handing out a message only clones the `Arc`.
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
    /// Removes closed subscriptions, and adds `new` if there is one.
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
    /// Creates a demultiplexer without subscriptions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a subscription to all messages for which `predicate` holds.
    ///
    /// After [`close`](Self::close), a new subscription ends immediately. A subscription also ends
    /// when it is dropped, and when its predicate panics.
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

    /// Hands a message of `size` bytes to all subscriptions whose predicate holds.
    ///
    /// The subscriptions are served in the order in which they were added. A subscription with room
    /// receives the message immediately; for one without room, its policy decides. Returns how many
    /// subscriptions received the message. After [`close`](Self::close) no predicate is called.
    ///
    /// # Cancel safety
    /// A dropped call may have handed the message to only some of the subscriptions.
    pub async fn publish(&self, message: &T, size: usize) -> usize {
        self.hand_out(None, message, size).await
    }

    /// Like [`publish`](Self::publish), for a message that comes from an identity.
    ///
    /// Subscriptions serve identities in turn, and an identity that floods loses its own messages
    /// first.
    pub async fn publish_from(&self, source: PeerId, message: &T, size: usize) -> usize {
        self.hand_out(Some(source), message, size).await
    }

    async fn hand_out(&self, source: Option<PeerId>, message: &T, size: usize) -> usize {
        let (at_once, waiting) = self.offer(source, message, size);
        at_once.taken + waiting.finish(source, message, size).await.taken
    }

    /// Like [`publish`](Self::publish), but instead of waiting returns the subscriptions for which
    /// it would wait.
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

    /// Ends all subscriptions, and the calls that wait in [`publish`](Self::publish).
    ///
    /// Waiting messages can still be read. A second call does nothing.
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

/// How many subscriptions took a message, and how many messages were dropped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) taken: usize,
    pub(crate) lost: usize,
}

/// The subscriptions for which one message waits, since they have no room.
pub(crate) struct Waiting<T>(Vec<(Arc<Slot<T>>, Duration)>);

impl<T: Clone> Waiting<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for each subscription as long as its policy allows.
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
        /// How many messages were dropped to make room.
        crowded_out: usize,
    },
    /// There was no room.
    Lost,
    /// The subscription is closed.
    Gone,
    Wait(Duration),
}

impl<T: Clone> Slot<T> {
    /// Asks the predicate. If the predicate panics, the subscription ends.
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
                // Another connection has taken the room, so wait again.
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

/// A stream of the messages that one predicate selects.
///
/// It ends when the layer stops. Dropping it unsubscribes.
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

//! A bounded queue with one reader.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use tokio::sync::Notify;

use crate::mutex::Mutex;

/// How much a queue may hold. An empty queue accepts an item of any weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) items: usize,
    pub(crate) weight: usize,
}

impl Bound {
    pub(crate) fn items(items: usize) -> Self {
        let weight = usize::MAX;
        Self { items, weight }
    }
}

/// Why a queue did not accept an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full<T> {
    /// There is no room; the item is returned.
    NoRoom(T),
    /// The queue is closed.
    Closed,
}

/// A key that names the source of an item.
pub(crate) trait Source: Copy + Eq + Hash {}

impl<K: Copy + Eq + Hash> Source for K {}

/// A queue that serves the sources of its items in turn. Items of one source stay in order.
#[derive(Debug)]
pub(crate) struct Queue<T, K = ()> {
    state: Mutex<State<T, K>>,
    /// Whether the queue is closed. It is set while the lock is held.
    closed: AtomicBool,
    /// Wakes tasks that wait for room or for the queue to be closed.
    room: Notify,
}

/// The maximum number of empty small lines that are kept. A kept line saves an allocation when its
/// source adds its next item.
const IDLE_LINES: usize = 16;
/// A line is small if it has room for at most this many items.
const SMALL_LINE: usize = 16;

#[derive(Debug)]
struct State<T, K> {
    bound: Bound,
    lines: HashMap<K, Line<T>>,
    /// The sources with waiting items, in the order in which they are served.
    turns: VecDeque<K>,
    items: usize,
    weight: usize,
    dropped: u64,
    reader: Option<Waker>,
    /// Whether a task waits for room.
    awaited: bool,
}

/// The waiting items of one source.
#[derive(Debug)]
struct Line<T> {
    items: VecDeque<(T, usize)>,
    /// The sum of the items' shares. The source with the largest sum loses items first.
    share: usize,
}

/// The end of a line that loses items when the queue makes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loses {
    Newest,
    Oldest,
}

/// An item that was taken out of turn to make room.
struct Pulled<T, K> {
    source: K,
    item: T,
    weight: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        let items = VecDeque::new();
        Self { items, share: 0 }
    }
}

impl<T, K: Source> State<T, K> {
    fn fits(&self, weight: usize) -> bool {
        let beside_others = self.items < self.bound.items
            && self.weight.saturating_add(weight) <= self.bound.weight;
        self.items == 0 || beside_others
    }

    /// The share of an item: its weight, but at least a minimum. The minimum is the bound on weight
    /// divided by the bound on items.
    fn share(&self, weight: usize) -> usize {
        let least = self.bound.weight.checked_div(self.bound.items);
        weight.max(least.unwrap_or(1)).max(1)
    }

    fn put(&mut self, source: K, item: T, weight: usize) {
        self.line_for(source, weight).push_back((item, weight));
    }

    /// Puts back an item that was pulled in vain.
    fn put_back(&mut self, pulled: Pulled<T, K>, loses: Loses) {
        let line = self.line_for(pulled.source, pulled.weight);
        match loses {
            Loses::Newest => line.push_back((pulled.item, pulled.weight)),
            Loses::Oldest => line.push_front((pulled.item, pulled.weight)),
        }
    }

    /// Counts another item of this weight, and returns the line to add it to.
    fn line_for(&mut self, source: K, weight: usize) -> &mut VecDeque<(T, usize)> {
        let share = self.share(weight);
        let line = self.lines.entry(source).or_default();
        if line.items.is_empty() {
            self.turns.push_back(source);
        }
        line.share = line.share.saturating_add(share);
        self.items += 1;
        self.weight = self.weight.saturating_add(weight);
        &mut line.items
    }

    /// Pulls one item, to make room for an item of this source and weight.
    fn pull(&mut self, source: K, weight: usize, loses: Loses) -> Option<Pulled<T, K>> {
        match loses {
            Loses::Newest => self.crowd_out(source, weight),
            Loses::Oldest => self.expire(source, weight),
        }
    }

    fn take(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let line = self.lines.get_mut(&source)?;
        let (item, weight) = line.items.pop_front()?;
        if !line.items.is_empty() {
            self.turns.push_back(source);
        }
        self.taken(source, weight);
        Some(item)
    }

    /// Takes the newest item of the source with the largest share. Returns `None` if `source`, with
    /// another item of this weight, would have at least that share.
    fn crowd_out(&mut self, source: K, weight: usize) -> Option<Pulled<T, K>> {
        let own = self.share_with(source, weight);
        let (largest, line) = self.lines.iter_mut().max_by_key(|(_, line)| line.share)?;
        if line.share <= own {
            return None;
        }
        let (source, (item, weight)) = (*largest, line.items.pop_back()?);
        Some(self.pulled(source, item, weight))
    }

    /// Takes the oldest item of the source with the largest share. In this comparison, `source`
    /// counts as if it had another item of this weight. Returns `None` if `source` has the largest
    /// share, but no items.
    fn expire(&mut self, source: K, weight: usize) -> Option<Pulled<T, K>> {
        let own = self.share_with(source, weight);
        let has_older = self.lines.get(&source).is_some_and(|line| line.share > 0);
        let (largest, line) = self.lines.iter().max_by_key(|(_, line)| line.share)?;
        let largest = if line.share < own || line.share == own && has_older {
            source
        } else {
            *largest
        };
        let (item, weight) = self.lines.get_mut(&largest)?.items.pop_front()?;
        Some(self.pulled(largest, item, weight))
    }

    /// The share of `source` with another item of this weight.
    fn share_with(&self, source: K, weight: usize) -> usize {
        let own = self.lines.get(&source).map_or(0, |line| line.share);
        own.saturating_add(self.share(weight))
    }

    /// Updates the state after an item has been taken out of turn.
    fn pulled(&mut self, source: K, item: T, weight: usize) -> Pulled<T, K> {
        let line = self.lines.get(&source);
        if line.is_none_or(|line| line.items.is_empty()) {
            self.turns.retain(|other| *other != source);
        }
        self.taken(source, weight);
        Pulled {
            source,
            item,
            weight,
        }
    }

    fn taken(&mut self, source: K, weight: usize) {
        self.items = self.items.saturating_sub(1);
        self.weight = self.weight.saturating_sub(weight);
        let (share, lines) = (self.share(weight), self.lines.len());
        if let Some(line) = self.lines.get_mut(&source) {
            line.share = line.share.saturating_sub(share);
            let small = lines <= IDLE_LINES && line.items.capacity() <= SMALL_LINE;
            if line.items.is_empty() && !small {
                self.lines.remove(&source);
            }
        }
    }
}

/// A queue whose items all come from one source.
impl<T> Queue<T> {
    /// Adds an item even if there is no room. The sender bounds the number of such items.
    pub(crate) fn push_over_bound(&self, item: T) {
        let mut state = self.lock();
        if !self.is_closed() {
            state.put((), item, 0);
            wake(state);
        }
    }
}

impl<T, K: Source> Queue<T, K> {
    pub(crate) fn new(bound: Bound) -> Arc<Self> {
        let state = State {
            bound,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            items: 0,
            weight: 0,
            dropped: 0,
            reader: None,
            awaited: false,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            closed: AtomicBool::new(false),
            room: Notify::new(),
        })
    }

    /// Adds an item if there is room.
    pub(crate) fn push_from(&self, source: K, item: T, weight: usize) -> Result<(), Full<T>> {
        let mut state = self.lock();
        if self.is_closed() {
            return Err(Full::Closed);
        }
        if !state.fits(weight) {
            return Err(Full::NoRoom(item));
        }
        state.put(source, item, weight);
        wake(state);
        Ok(())
    }

    /// Like [`push_from`](Self::push_from), but makes room by dropping items. It drops the newest
    /// items of the source with the largest share, as long as that share is larger than the share of
    /// `source` with this item. Drops nothing if that does not make enough room. Counts the dropped
    /// items and returns their number.
    pub(crate) fn push_fairly(&self, source: K, item: T, weight: usize) -> Result<usize, Full<T>> {
        self.push_over(source, item, weight, Loses::Newest)
    }

    /// Like [`push_fairly`](Self::push_fairly), but drops the oldest items. This includes items of
    /// `source` if it has the largest share.
    pub(crate) fn push_over_oldest(
        &self,
        source: K,
        item: T,
        weight: usize,
    ) -> Result<usize, Full<T>> {
        self.push_over(source, item, weight, Loses::Oldest)
    }

    fn push_over(&self, source: K, item: T, weight: usize, loses: Loses) -> Result<usize, Full<T>> {
        // Declared before the lock is taken, so that the items are dropped after it is released.
        let mut pulled = Vec::new();
        let mut state = self.lock();
        if self.is_closed() {
            return Err(Full::Closed);
        }
        while !state.fits(weight) {
            let Some(other) = state.pull(source, weight, loses) else {
                for other in pulled.into_iter().rev() {
                    state.put_back(other, loses);
                }
                return Err(Full::NoRoom(item));
            };
            pulled.push(other);
        }
        state.dropped = state.dropped.saturating_add(pulled.len() as u64);
        state.put(source, item, weight);
        wake(state);
        Ok(pulled.len())
    }

    /// Whether there is no room, even for an item without weight.
    pub(crate) fn is_full(&self) -> bool {
        !self.lock().fits(0)
    }

    /// Waits until an item of this weight fits or the queue is closed. Another task may take the
    /// room before the caller does. Cancel safe.
    pub(crate) async fn room(&self, weight: usize) {
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            // Registered before the check, so no change is missed.
            freed.as_mut().enable();
            {
                let mut state = self.lock();
                if self.is_closed() || state.fits(weight) {
                    return;
                }
                state.awaited = true;
            }
            freed.await;
        }
    }

    /// Waits until the queue is closed. Cancel safe.
    pub(crate) async fn closed(&self) {
        loop {
            let closed = self.room.notified();
            tokio::pin!(closed);
            closed.as_mut().enable();
            if self.is_closed() {
                return;
            }
            closed.await;
        }
    }

    pub(crate) fn count_dropped(&self) {
        self.lock().dropped += 1;
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Rejects further items. The items in the queue can still be read.
    pub(crate) fn close(&self) {
        let state = self.lock();
        self.closed.store(true, Ordering::Relaxed);
        wake(state);
        self.room.notify_waiters();
    }

    /// Like [`close`](Self::close), but also drops all items, because there is no reader any more.
    fn abandon(&self) {
        self.close();
        let mut state = self.lock();
        let lines = std::mem::take(&mut state.lines);
        (state.turns, state.items, state.weight) = (VecDeque::new(), 0, 0);
        drop(state);
        drop(lines);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        if let Some(item) = state.take() {
            let awaited = std::mem::take(&mut state.awaited);
            drop(state);
            if awaited {
                self.room.notify_waiters();
            }
            return Poll::Ready(Some(item));
        }
        if self.is_closed() {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State<T, K>> {
        self.state.lock()
    }
}

/// Releases the lock, and then wakes the reader.
fn wake<T, K>(mut state: MutexGuard<'_, State<T, K>>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// The reading end of a queue; dropping it closes the queue.
#[derive(Debug)]
pub(crate) struct Reader<T, K: Source = ()>(pub(crate) Arc<Queue<T, K>>);

impl<T, K: Source> Reader<T, K> {
    /// The next item; `None` at the end. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl<T, K: Source> Stream for Reader<T, K> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll(cx)
    }
}

impl<T, K: Source> Drop for Reader<T, K> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn queue(items: usize) -> (Arc<Queue<u32>>, Reader<u32>) {
        let queue = Queue::new(Bound { items, weight: 10 });
        (Arc::clone(&queue), Reader(queue))
    }

    #[tokio::test]
    async fn room_is_bounded_by_items_and_by_weight() {
        let (queue, mut reader) = queue(2);
        assert_eq!(
            queue.push_from((), 1, 20),
            Ok(()),
            "any weight if it is empty"
        );
        assert_eq!(queue.push_from((), 2, 1), Err(Full::NoRoom(2)));
        assert_eq!(reader.recv().await, Some(1));
        assert_eq!(
            (queue.push_from((), 2, 1), queue.push_from((), 3, 9)),
            (Ok(()), Ok(()))
        );
        assert!(queue.is_full());
        queue.push_over_bound(4);
        let mut room = Box::pin(queue.room(0));
        for expected in 2..4 {
            assert!(room.as_mut().now_or_never().is_none());
            assert_eq!(reader.recv().await, Some(expected));
        }
        room.await;
        assert!(!queue.is_full());
    }

    #[tokio::test]
    async fn sources_take_turns_and_the_largest_makes_room() {
        let queue = Queue::new(Bound {
            items: 6,
            weight: 60,
        });
        let mut reader = Reader(Arc::clone(&queue));
        for n in 0..6 {
            assert_eq!(queue.push_fairly('f', n, 1), Ok(0));
        }
        assert_eq!(queue.push_fairly('f', 9, 1), Err(Full::NoRoom(9)));
        let honest = [('a', 10), ('b', 20), ('a', 11), ('b', 21)];
        for (source, n) in honest {
            assert_eq!(queue.push_fairly(source, n, 1), Ok(1));
        }
        assert_eq!(queue.push_fairly('b', 22, 1), Err(Full::NoRoom(22)));
        assert_eq!(queue.push_fairly('c', 30, 60), Err(Full::NoRoom(30)));
        assert_eq!(queue.dropped(), 4);
        for expected in [0, 10, 20, 1, 11, 21] {
            assert_eq!(reader.recv().await, Some(expected));
        }
        assert_eq!(queue.push_fairly('f', 7, 60), Ok(0));
        assert_eq!(
            queue.push_fairly('a', 12, 1),
            Ok(1),
            "one large message too"
        );
        assert_eq!(reader.recv().await, Some(12));
    }

    #[tokio::test]
    async fn the_oldest_items_of_the_largest_source_make_room() {
        let queue = Queue::new(Bound {
            items: 4,
            weight: 40,
        });
        let mut reader = Reader(Arc::clone(&queue));
        for n in 0..6 {
            let dropped = queue.push_over_oldest('f', n, 1);
            assert_eq!(dropped, Ok(usize::from(n >= 4)));
        }
        // Items 2 to 5 wait. A new source makes the flood lose its oldest item.
        assert_eq!(queue.push_over_oldest('a', 10, 1), Ok(1));
        assert_eq!(queue.push_over_oldest('a', 11, 1), Ok(1));
        // Now both have two items, so the source that sends another item loses its own oldest.
        assert_eq!(queue.push_over_oldest('a', 12, 1), Ok(1));
        assert_eq!(queue.push_over_oldest('f', 6, 1), Ok(1));
        // An item that outweighs all others is rejected itself.
        assert_eq!(queue.push_over_oldest('b', 20, 40), Err(Full::NoRoom(20)));
        assert_eq!(queue.dropped(), 6);
        for expected in [5, 11, 6, 12] {
            assert_eq!(reader.recv().await, Some(expected));
        }
        assert_eq!(
            queue.push_over_oldest('b', 20, 400),
            Ok(0),
            "any weight alone"
        );
        assert_eq!(queue.push_over_oldest('b', 21, 1), Ok(1));
        assert_eq!(reader.recv().await, Some(21));
        for (n, source) in ('a'..='d').enumerate() {
            assert_eq!(queue.push_over_oldest(source, n as u32, 1), Ok(0));
        }
        assert_eq!(queue.push_over_oldest('e', 4, 1), Ok(1), "among equals too");
    }

    #[tokio::test]
    async fn a_refused_item_costs_the_others_nothing() {
        for loses in [Loses::Newest, Loses::Oldest] {
            let queue = Queue::new(Bound {
                items: 9,
                weight: 60,
            });
            let mut reader = Reader(Arc::clone(&queue));
            for n in 0..5 {
                assert_eq!(queue.push_from('f', n, 10), Ok(()));
            }
            assert_eq!(queue.push_from('a', 10, 10), Ok(()));
            // The flood may lose two items for this one, which is not enough.
            let refused = queue.push_over('c', 20, 35, loses);
            assert_eq!(refused, Err(Full::NoRoom(20)), "{loses:?}");
            assert_eq!(queue.dropped(), 0, "{loses:?}");
            for expected in [0, 10, 1, 2, 3, 4] {
                assert_eq!(reader.recv().await, Some(expected), "{loses:?}");
            }
        }
    }

    /// An item that records whether the queue is locked when it is dropped.
    struct Dropped(std::sync::Weak<Queue<Dropped, char>>, Arc<AtomicBool>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            let locked = self
                .0
                .upgrade()
                .is_some_and(|queue| queue.state.is_locked());
            self.1.fetch_or(locked, Ordering::Relaxed);
        }
    }

    #[test]
    fn no_item_is_dropped_under_the_lock() {
        let queue = Queue::new(Bound {
            items: 9,
            weight: 60,
        });
        let locked = Arc::new(AtomicBool::new(false));
        let item = || Dropped(Arc::downgrade(&queue), Arc::clone(&locked));
        for _ in 0..6 {
            assert!(queue.push_fairly('f', item(), 10).is_ok());
        }
        assert!(queue.push_fairly('a', item(), 10).is_ok());
        assert!(matches!(queue.push_fairly('c', item(), 20), Ok(2)));
        assert!(!locked.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn it_ends_when_either_end_is_dropped() {
        let (queue, mut reader) = self::queue(1);
        queue.push_over_bound(1);
        queue.close();
        queue.push_over_bound(2);
        assert_eq!(queue.push_from((), 2, 0), Err(Full::Closed));
        assert_eq!(reader.recv().await, Some(1));
        assert_eq!(reader.recv().await, None);

        let (queue, reader) = self::queue(1);
        queue.push_over_bound(1);
        let mut ends = Box::pin(async { tokio::join!(queue.closed(), queue.room(0)) });
        assert!(ends.as_mut().now_or_never().is_none());
        drop(reader);
        ends.await;
        assert!(queue.is_closed());
    }
}

//! A bounded queue with one reader.

mod lines;

use std::future::poll_fn;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use tokio::sync::Notify;

use self::lines::{Lines, Loses};
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

#[derive(Debug)]
struct State<T, K> {
    lines: Lines<T, K>,
    dropped: u64,
    reader: Option<Waker>,
    /// Whether a task waits for room.
    awaited: bool,
}

/// A queue whose items all come from one source.
impl<T> Queue<T> {
    /// Adds an item even if there is no room. The sender bounds the number of such items.
    pub(crate) fn push_over_bound(&self, item: T) {
        let mut state = self.lock();
        if !self.is_closed() {
            state.lines.put((), item, 0);
            wake(state);
        }
    }
}

impl<T, K: Source> Queue<T, K> {
    pub(crate) fn new(bound: Bound) -> Arc<Self> {
        let state = State {
            lines: Lines::new(bound),
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
        if !state.lines.fits(weight) {
            return Err(Full::NoRoom(item));
        }
        state.lines.put(source, item, weight);
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
        while !state.lines.fits(weight) {
            let Some(other) = state.lines.pull(source, weight, loses) else {
                for other in pulled.into_iter().rev() {
                    state.lines.put_back(other, loses);
                }
                return Err(Full::NoRoom(item));
            };
            pulled.push(other);
        }
        state.dropped = state.dropped.saturating_add(pulled.len() as u64);
        state.lines.put(source, item, weight);
        wake(state);
        Ok(pulled.len())
    }

    /// Whether there is no room, even for an item without weight.
    pub(crate) fn is_full(&self) -> bool {
        !self.lock().lines.fits(0)
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
                if self.is_closed() || state.lines.fits(weight) {
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
        let lines = state.lines.clear();
        drop(state);
        drop(lines);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        if let Some(item) = state.lines.take() {
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
mod tests;

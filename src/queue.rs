//! A bounded queue with one reader.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use tokio::sync::Notify;

use crate::mutex::Mutex;

/// How much a queue holds. One item of any weight fits an empty queue.
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

/// What a queue that has no room for an item does with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full<T> {
    /// It is given back.
    NoRoom(T),
    /// Nobody reads any more.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Set under the lock.
    closed: AtomicBool,
    /// Wakes who waits for room or for the end.
    room: Notify,
}

#[derive(Debug)]
struct State<T> {
    bound: Bound,
    items: VecDeque<(T, usize)>,
    weight: usize,
    dropped: u64,
    reader: Option<Waker>,
    /// Somebody waits for room.
    awaited: bool,
}

impl<T> State<T> {
    fn fits(&self, weight: usize) -> bool {
        let beside_others = self.items.len() < self.bound.items
            && self.weight.saturating_add(weight) <= self.bound.weight;
        self.items.is_empty() || beside_others
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(bound: Bound) -> Arc<Self> {
        let state = State {
            bound,
            items: VecDeque::new(),
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

    /// Puts an item in if there is room.
    pub(crate) fn push(&self, item: T, weight: usize) -> Result<(), Full<T>> {
        let mut state = self.lock();
        if self.is_closed() {
            return Err(Full::Closed);
        }
        if !state.fits(weight) {
            return Err(Full::NoRoom(item));
        }
        state.weight = state.weight.saturating_add(weight);
        state.items.push_back((item, weight));
        wake(state);
        Ok(())
    }

    /// Puts an item in whether there is room or not: what comes so is bounded by its sender.
    pub(crate) fn push_over_bound(&self, item: T) {
        let mut state = self.lock();
        if !self.is_closed() {
            state.items.push_back((item, 0));
            wake(state);
        }
    }

    /// Whether there is no room for anything more.
    pub(crate) fn is_full(&self) -> bool {
        !self.lock().fits(0)
    }

    /// Waits until there is room for an item of this weight, or the queue is closed. Another may
    /// be faster to take it. Cancel safe.
    pub(crate) async fn room(&self, weight: usize) {
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            // Registered before the look, so that nothing in between is missed.
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

    /// Waits until nothing more is let in. Cancel safe.
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

    /// Lets nothing more in; what is there can still be read.
    pub(crate) fn close(&self) {
        let state = self.lock();
        self.closed.store(true, Ordering::Relaxed);
        wake(state);
        self.room.notify_waiters();
    }

    /// As [`close`](Self::close), and forgets what is there: nobody reads any more.
    fn abandon(&self) {
        self.close();
        let items = std::mem::take(&mut self.lock().items);
        drop(items);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        if let Some((item, weight)) = state.items.pop_front() {
            state.weight = state.weight.saturating_sub(weight);
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

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }
}

/// Wakes the reader outside the lock.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// The reading end of a queue; dropping it closes the queue.
#[derive(Debug)]
pub(crate) struct Reader<T>(pub(crate) Arc<Queue<T>>);

impl<T> Reader<T> {
    /// The next item; `None` at the end. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl<T> Stream for Reader<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll(cx)
    }
}

impl<T> Drop for Reader<T> {
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
        assert_eq!(queue.push(1, 20), Ok(()), "any weight if it is empty");
        assert_eq!(queue.push(2, 1), Err(Full::NoRoom(2)));
        assert_eq!(reader.recv().await, Some(1));
        assert_eq!((queue.push(2, 1), queue.push(3, 9)), (Ok(()), Ok(())));
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
    async fn it_ends_with_either_end() {
        let (queue, mut reader) = self::queue(1);
        queue.push_over_bound(1);
        queue.close();
        queue.push_over_bound(2);
        assert_eq!(queue.push(2, 0), Err(Full::Closed));
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

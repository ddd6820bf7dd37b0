//! Event streams for many readers, none of which blocks the sender.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::broadcast;
use tokio::task::unconstrained;
use tokio::time::Instant;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// The largest capacity. The places of all events, 32 bytes each, are allocated at the start.
const MOST: usize = 65_536;

/// The sending end, shared by its clones. The streams end when the last clone is dropped.
///
/// The feed keeps pointers to events, because its ring exists even if nothing was ever emitted.
#[derive(Debug)]
pub(crate) struct EventFeed<T>(broadcast::Sender<Arc<Emitted<T>>>);

/// An event, and when it was emitted.
#[derive(Debug, Clone)]
struct Emitted<T> {
    event: T,
    at: Instant,
}

impl<T> Clone for EventFeed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> EventFeed<T> {
    /// Returns a feed that keeps up to `capacity` events for the slowest reader.
    ///
    /// The capacity is limited to values from one to [`MOST`].
    pub(crate) fn new(capacity: usize) -> Self {
        Self(broadcast::channel(capacity.clamp(1, MOST)).0)
    }

    /// Emits an event to all subscribers. Never waits.
    pub(crate) fn emit(&self, event: T) {
        if self.0.receiver_count() > 0 {
            // This fails only if the last subscriber has left in the meantime.
            let at = Instant::now();
            let _ = self.0.send(Arc::new(Emitted { event, at }));
        }
    }

    pub(crate) fn subscribe(&self) -> EventStream<T> {
        EventStream(BroadcastStream::new(self.0.subscribe()))
    }
}

/// A stream of the events since the subscription, in order.
///
/// The stream is bounded, and a slow reader blocks nothing else: if it falls too far behind, it
/// loses the oldest events, and receives the number of [missed](Missed) events instead. The stream
/// ends when its server or feed ends.
///
/// ```
/// use peermux::EventStream;
///
/// async fn print_all<T: std::fmt::Debug + Clone + Send + Sync + 'static>(mut events: EventStream<T>) {
///     while let Some(event) = events.recv().await {
///         match event {
///             Ok(event) => println!("{event:?}"),
///             Err(missed) => println!("{missed}"),
///         }
///     }
/// }
/// ```
pub struct EventStream<T>(BroadcastStream<Arc<Emitted<T>>>);

/// Events that were lost because they were not read in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{events} events were not read in time and are lost")]
#[non_exhaustive]
pub struct Missed {
    /// The number of lost events.
    pub events: u64,
}

impl<T: Clone + Send + Sync + 'static> EventStream<T> {
    /// Returns the next event, or `None` after the end.
    ///
    /// # Errors
    /// [`Missed`] in place of lost events.
    ///
    /// # Cancel safety
    /// Dropping the call loses no event.
    pub async fn recv(&mut self) -> Option<Result<T, Missed>> {
        self.next().await
    }

    /// Like [`recv`](Self::recv), but also returns when the event was emitted.
    ///
    /// A slow subscriber receives an event later than that.
    ///
    /// # Errors
    /// [`Missed`] in place of lost events.
    ///
    /// # Cancel safety
    /// Dropping the call loses no event.
    pub async fn recv_at(&mut self) -> Option<Result<(T, Instant), Missed>> {
        poll_fn(|cx| self.poll_emitted(cx))
            .await
            .map(|emitted| emitted.map(|Emitted { event, at }| (event, at)))
    }

    /// Returns the next event if one has already arrived.
    ///
    /// Returns `None` if no event has arrived, and after the end.
    ///
    /// # Errors
    /// [`Missed`] in place of lost events.
    pub fn try_recv(&mut self) -> Option<Result<T, Missed>> {
        // `unconstrained` is needed: without it, a task that has used up its tokio budget would not
        // get the event.
        unconstrained(self.next()).now_or_never().flatten()
    }

    fn poll_emitted(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Emitted<T>, Missed>>> {
        self.0.poll_next_unpin(cx).map(|next| {
            next.map(|emitted| match emitted {
                Ok(emitted) => Ok(Arc::unwrap_or_clone(emitted)),
                Err(BroadcastStreamRecvError::Lagged(events)) => Err(Missed { events }),
            })
        })
    }
}

impl<T: Clone + Send + Sync + 'static> Stream for EventStream<T> {
    type Item = Result<T, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_emitted(cx)
            .map(|next| next.map(|emitted| emitted.map(|emitted| emitted.event)))
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test]
    async fn events_arrive_in_order_until_the_end() {
        let feed = EventFeed::new(4);
        let mut events = feed.subscribe();
        assert_eq!(events.recv().now_or_never(), None, "a dropped call");
        (1..=3).for_each(|number| feed.emit(number));
        assert_eq!(events.recv().await, Some(Ok(1)));
        assert_eq!(events.try_recv(), Some(Ok(2)));
        drop(feed);
        assert_eq!(events.recv().await, Some(Ok(3)));
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_sees_when_each_event_was_emitted() {
        let feed = EventFeed::new(4);
        let (mut events, started) = (feed.subscribe(), Instant::now());
        for number in 0..3 {
            feed.emit(number);
            advance(Duration::from_secs(1)).await;
        }
        for number in 0..3 {
            let at = started + Duration::from_secs(number);
            assert_eq!(events.recv_at().await, Some(Ok((number, at))));
        }
    }

    #[tokio::test]
    async fn a_slow_reader_receives_the_number_of_missed_events() {
        let feed = EventFeed::new(2);
        let mut events = feed.subscribe();
        (0..5).for_each(|number| feed.emit(number));
        assert_eq!(events.recv().await, Some(Err(Missed { events: 3 })));
        assert_eq!(events.try_recv(), Some(Ok(3)));
        assert_eq!(events.recv().await, Some(Ok(4)));
        assert_eq!(events.try_recv(), None);
    }

    #[tokio::test]
    async fn a_feed_of_any_capacity_works() {
        for capacity in [0, usize::MAX] {
            let feed = EventFeed::new(capacity);
            let mut events = feed.subscribe();
            feed.emit(1);
            assert_eq!(events.recv().await, Some(Ok(1)), "{capacity}");
        }
    }

    #[tokio::test]
    async fn try_recv_returns_all_waiting_events() {
        let feed = EventFeed::new(1024);
        let mut events = feed.subscribe();
        (0..1000).for_each(|number| feed.emit(number));
        assert_eq!(std::iter::from_fn(|| events.try_recv()).count(), 1000);
    }
}

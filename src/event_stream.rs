//! Streams of events for many readers, none of whom holds anybody up.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::broadcast;
use tokio::task::unconstrained;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// More events than this are kept for nobody: room for all of them is taken at the start.
const MOST: usize = 65_536;

/// The sending end; cloning shares it. The streams end when the last one is dropped.
#[derive(Debug)]
pub(crate) struct EventFeed<T>(broadcast::Sender<T>);

impl<T> Clone for EventFeed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + 'static> EventFeed<T> {
    /// Keeps up to `capacity` events for the slowest reader, at least one and at most
    /// [`MOST`].
    pub(crate) fn new(capacity: usize) -> Self {
        Self(broadcast::channel(capacity.clamp(1, MOST)).0)
    }

    /// Tells an event to all who subscribed. Never waits.
    pub(crate) fn emit(&self, event: T) {
        // Without subscribers an event goes nowhere, which is not a failure.
        let _ = self.0.send(event);
    }

    pub(crate) fn subscribe(&self) -> EventStream<T> {
        EventStream(BroadcastStream::new(self.0.subscribe()))
    }
}

/// Events, in order, from the time of the subscription on.
///
/// It is bounded, and a reader never holds anybody up: one that falls too far behind loses the
/// oldest events, and finds in their place how many it [missed](Missed). The stream ends with the
/// server, or the feed, that it comes from.
///
/// ```
/// use peermux::EventStream;
///
/// async fn print_all<T: std::fmt::Debug + Clone + Send + 'static>(mut events: EventStream<T>) {
///     while let Some(event) = events.recv().await {
///         match event {
///             Ok(event) => println!("{event:?}"),
///             Err(missed) => println!("{missed}"),
///         }
///     }
/// }
/// ```
pub struct EventStream<T>(BroadcastStream<T>);

/// Events that are lost, because they were not read in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{events} events were not read in time and are lost")]
#[non_exhaustive]
pub struct Missed {
    /// How many.
    pub events: u64,
}

impl<T: Clone + Send + 'static> EventStream<T> {
    /// The next event; `None` once there will be no more. Cancel safe.
    ///
    /// # Errors
    /// [`Missed`] in the place of events that are lost.
    pub async fn recv(&mut self) -> Option<Result<T, Missed>> {
        self.next().await
    }

    /// The next event if it has happened already; `None` if not, and also after the end.
    ///
    /// # Errors
    /// [`Missed`] in the place of events that are lost.
    pub fn try_recv(&mut self) -> Option<Result<T, Missed>> {
        // What is there comes to a task that has used up its turn, too.
        unconstrained(self.next()).now_or_never().flatten()
    }
}

impl<T: Clone + Send + 'static> Stream for EventStream<T> {
    type Item = Result<T, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx).map(|next| {
            next.map(|event| {
                event.map_err(|BroadcastStreamRecvError::Lagged(events)| Missed { events })
            })
        })
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_come_in_order_until_the_end() {
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

    #[tokio::test]
    async fn a_slow_reader_is_told_what_it_missed() {
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
    async fn a_look_finds_all_that_is_there() {
        let feed = EventFeed::new(1024);
        let mut events = feed.subscribe();
        (0..1000).for_each(|number| feed.emit(number));
        assert_eq!(std::iter::from_fn(|| events.try_recv()).count(), 1000);
    }
}

//! Event feeds that end when the layer stops.

use crate::event_stream::{EventFeed, EventStream};
use crate::mutex::Mutex;

/// How many events a slow reader may be behind before it loses the oldest.
const BACKLOG: usize = 1024;

/// A feed of events that can end. [`tell`](Self::tell), which adds an event, never waits.
pub(crate) struct Feed<T>(Mutex<Option<EventFeed<T>>>);

impl<T: Clone + Send + Sync + 'static> Default for Feed<T> {
    fn default() -> Self {
        Self(Mutex::new(Some(EventFeed::new(BACKLOG))))
    }
}

impl<T: Clone + Send + Sync + 'static> Feed<T> {
    /// Returns a stream of all events from now on. If the feed has ended, so has the stream.
    pub(crate) fn listen(&self) -> EventStream<T> {
        match &*self.0.lock() {
            Some(feed) => feed.subscribe(),
            None => EventFeed::new(1).subscribe(),
        }
    }

    pub(crate) fn tell(&self, event: T) {
        if let Some(feed) = &*self.0.lock() {
            feed.emit(event);
        }
    }

    pub(crate) fn close(&self) {
        let feed = self.0.lock().take();
        drop(feed);
    }
}

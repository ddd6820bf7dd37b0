//! The ordered stream of a manager's events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use futures::Stream;

use super::error::{CloseReason, ConnectError, Refusal};
use super::lease::Lease;
use super::request::{Address, ReqId};
use crate::queue::{Bound, Queue, Reader};

/// An event of a connection manager.
///
/// For each id, `Opened` always precedes `Closed`. A permanent request opens and closes many times.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnEvent<A: Address, Io> {
    /// A dialled or accepted connection is up.
    Opened {
        /// The stream, which the owner reads, writes and closes.
        io: Io,
        /// Identifies the connection's request; dropping the lease reports the connection's end.
        lease: Lease<A>,
    },
    /// A connection ended.
    Closed {
        /// The id of the connection's lease.
        id: ReqId,
        /// Why.
        reason: CloseReason,
    },
    /// A dial failed. Cancelled dials are not reported.
    DialFailed {
        /// The request.
        id: ReqId,
        /// The dialled address.
        addr: A,
        /// The error.
        error: ConnectError,
        /// Number of attempts that have failed in a row, as in
        /// [`RequestInfo::failures`](super::RequestInfo::failures).
        failures: u32,
        /// Time until the next dial; `None` if the request is not dialled again.
        retry_in: Option<Duration>,
    },
    /// An accepted connection was closed at once, because the manager does not allow it.
    InboundRejected {
        /// The remote address.
        addr: A,
        /// Why.
        cause: Refusal,
    },
    /// A listener failed and accepts no more connections.
    ListenerFailed {
        /// Number of listeners that still accept.
        left: usize,
        /// The failed listener's index from 0, in the order in which listeners were added.
        listener: usize,
        /// The operating system's error.
        error: io::Error,
    },
}

/// The events of a manager, in order, until the manager has stopped.
///
/// While too many events are unread, the manager neither dials nor accepts, so keep reading.
/// Dropping the stream stops the manager.
pub struct ConnEvents<A: Address, Io>(Reader<ConnEvent<A, Io>>);

impl<A: Address, Io> ConnEvents<A, Io> {
    /// Returns the next event; `None` after the manager has stopped.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<ConnEvent<A, Io>> {
        self.0.recv().await
    }
}

impl<A: Address, Io> Stream for ConnEvents<A, Io> {
    type Item = ConnEvent<A, Io>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl<A: Address, Io> fmt::Debug for ConnEvents<A, Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnEvents").finish_non_exhaustive()
    }
}

/// The sending side of the stream of events, which the manager holds. Sending never waits.
///
/// The manager checks [`is_full`](Self::is_full) before it starts anything that leads to an event.
/// The queue may therefore exceed its capacity only by one event per open connection, two per dial
/// in flight, and one per dial that the filter refused since the last check.
pub(super) struct EventSender<A: Address, Io>(Arc<Queue<ConnEvent<A, Io>>>);

impl<A: Address, Io> EventSender<A, Io> {
    pub(super) fn push(&self, event: ConnEvent<A, Io>) {
        self.0.push_over_bound(event);
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.is_full()
    }

    pub(super) fn reader_gone(&self) -> bool {
        self.0.is_closed()
    }

    /// Completes when the reader is gone or, if `for_room` is set, when there is room.
    ///
    /// Cancel safe.
    pub(super) async fn changed(&self, for_room: bool) {
        if for_room {
            self.0.room(0).await;
        } else {
            self.0.closed().await;
        }
    }
}

impl<A: Address, Io> Drop for EventSender<A, Io> {
    fn drop(&mut self) {
        self.0.close();
    }
}

pub(super) fn channel<A: Address, Io>(capacity: usize) -> (EventSender<A, Io>, ConnEvents<A, Io>) {
    let queue = Queue::new(Bound::items(capacity));
    (EventSender(Arc::clone(&queue)), ConnEvents(Reader(queue)))
}

//! The one ordered stream of events.

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

/// What happened. Of one id, `Opened` always comes before `Closed`; a permanent request opens and
/// closes many times.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnEvent<A: Address, Io> {
    /// A connection is up, dialled or accepted.
    Opened {
        /// The socket, which the owner reads, writes and closes.
        io: Io,
        /// Its place in the manager: which request it belongs to, and the report of its end.
        lease: Lease<A>,
    },
    /// A connection is over.
    Closed {
        /// The id of its lease.
        id: ReqId,
        /// Why.
        reason: CloseReason,
    },
    /// A dial brought no connection. Given-up ones are not reported.
    DialFailed {
        /// The request.
        id: ReqId,
        /// Where it led.
        addr: A,
        /// What went wrong.
        error: ConnectError,
        /// How many attempts in a row have failed by now, as in
        /// [`RequestInfo::failures`](super::RequestInfo::failures).
        failures: u32,
        /// When it is dialled again; `None` if never.
        retry_in: Option<Duration>,
    },
    /// An accepted connection was closed at once.
    InboundRejected {
        /// Where it came from.
        addr: A,
        /// Why.
        cause: Refusal,
    },
    /// A listener will accept nothing more.
    ListenerFailed {
        /// How many others go on. With 0 nothing is accepted any more.
        left: usize,
        /// Its number, from 0, in the order in which listeners were given.
        listener: usize,
        /// What the system said.
        error: io::Error,
    },
}

/// The events of a manager, in order; ends when the manager has stopped. While too many are unread
/// the manager neither dials nor accepts, so keep reading. Dropping this stops the manager.
pub struct ConnEvents<A: Address, Io>(Reader<ConnEvent<A, Io>>);

impl<A: Address, Io> ConnEvents<A, Io> {
    /// The next event; `None` after the manager has stopped. Cancel safe.
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

/// The manager's end of the stream. It never waits: the manager looks whether it
/// [is full](Self::is_full) before it starts what ends in an event, so that the queue holds no more
/// than its capacity, one event per open connection and one per dial in flight.
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

    /// Completes when the reader is gone, or if `for_room`, when there is room. Cancel safe.
    pub(super) async fn changed(&self, for_room: bool) {
        match for_room {
            true => self.0.room(0).await,
            false => self.0.closed().await,
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

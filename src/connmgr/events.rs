//! The one ordered stream of events.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::Stream;
use tokio::sync::Notify;

use super::error::{CloseReason, ConnectError, Refusal};
use super::lease::Lease;
use super::request::{Address, ReqId};
use crate::mutex::Mutex;

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
    /// A listener will accept nothing more. The others go on.
    ListenerFailed {
        /// Its number, from 0, in the order in which listeners were given.
        listener: usize,
        /// What the system said.
        error: io::Error,
    },
}

/// The events of a manager, in order; ends when the manager has stopped. While too many are unread
/// the manager neither dials nor accepts, so keep reading. Dropping this stops the manager.
pub struct ConnEvents<A: Address, Io>(Arc<Queue<A, Io>>);

impl<A: Address, Io> ConnEvents<A, Io> {
    /// The next event; `None` after the manager has stopped. Cancel safe.
    pub async fn recv(&mut self) -> Option<ConnEvent<A, Io>> {
        poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl<A: Address, Io> Stream for ConnEvents<A, Io> {
    type Item = ConnEvent<A, Io>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll(cx)
    }
}

impl<A: Address, Io> std::fmt::Debug for ConnEvents<A, Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnEvents")
            .field("unread", &self.0.lock().events.len())
            .finish()
    }
}

impl<A: Address, Io> Drop for ConnEvents<A, Io> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader_gone = true;
        let unread = std::mem::take(&mut state.events);
        drop(state);
        drop(unread);
        self.0.room.notify_one();
    }
}

/// The manager's end of the stream. It never waits: the manager looks whether it
/// [is full](Self::is_full) before it starts what ends in an event, so that the queue holds no more
/// than its capacity, one event per open connection and one per dial in flight.
pub(super) struct EventSender<A: Address, Io>(Arc<Queue<A, Io>>);

impl<A: Address, Io> EventSender<A, Io> {
    pub(super) fn push(&self, event: ConnEvent<A, Io>) {
        let mut state = self.0.lock();
        if state.reader_gone {
            drop(state);
            drop(event);
            return;
        }
        state.events.push_back(event);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.lock().events.len() >= self.0.capacity
    }

    pub(super) fn reader_gone(&self) -> bool {
        self.0.lock().reader_gone
    }

    /// Completes when a full queue got room, or the reader is gone. Cancel safe.
    pub(super) async fn changed(&self) {
        self.0.room.notified().await;
    }
}

impl<A: Address, Io> Drop for EventSender<A, Io> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

pub(super) fn channel<A: Address, Io>(capacity: usize) -> (EventSender<A, Io>, ConnEvents<A, Io>) {
    let queue = Arc::new(Queue {
        capacity,
        state: Mutex::new(State {
            events: VecDeque::new(),
            waker: None,
            ended: false,
            reader_gone: false,
        }),
        room: Notify::new(),
    });
    (EventSender(Arc::clone(&queue)), ConnEvents(queue))
}

struct Queue<A: Address, Io> {
    capacity: usize,
    state: Mutex<State<A, Io>>,
    room: Notify,
}

struct State<A: Address, Io> {
    events: VecDeque<ConnEvent<A, Io>>,
    waker: Option<Waker>,
    ended: bool,
    reader_gone: bool,
}

impl<A: Address, Io> Queue<A, Io> {
    fn lock(&self) -> MutexGuard<'_, State<A, Io>> {
        self.state.lock()
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<ConnEvent<A, Io>>> {
        let mut state = self.lock();
        if let Some(event) = state.events.pop_front() {
            if state.events.len() + 1 == self.capacity {
                self.room.notify_one();
            }
            return Poll::Ready(Some(event));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

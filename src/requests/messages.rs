//! What the function of a peer and the task that runs the function share.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::{self, Id, coop};

use super::incoming::{Incoming, Next};
use crate::message::RequestMessages;
use crate::mutex::Mutex;
use crate::peer::ProtocolError;

/// A peer's messages, which the task that runs the peer's function reads.
///
/// If the function awaits a message, it reads them itself. At other times, the task reads them after
/// each turn of the function, so that responses arrive even if the function waits for one. The
/// function may move its channel to another task, which then only takes what was read.
pub(super) struct Messages<M: RequestMessages>(Mutex<State<M>>);

struct State<M: RequestMessages> {
    /// `None` before requests begin, and after the function has dropped its channel.
    incoming: Option<Incoming<M>>,
    /// The task that runs the function. `None` before its first turn and after its end.
    task: Option<(Id, Waker)>,
    /// Wakes the function if it waits for a message.
    reader: Option<Waker>,
    waits: bool,
    /// Whether the function has read everything in this turn, with its task's own waker.
    ///
    /// Then the task need not read again.
    has_read: bool,
    /// Whether the function has received something in this turn.
    has_received: bool,
    /// Whether the task reads before the next turn, since the function left no budget.
    reads_first: bool,
}

impl<M: RequestMessages> Messages<M> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            incoming: None,
            task: None,
            reader: None,
            waits: false,
            has_read: false,
            has_received: false,
            reads_first: false,
        }))
    }

    pub(super) fn begin(&self, incoming: Incoming<M>) {
        let mut state = self.0.lock();
        state.incoming = Some(incoming);
        if let Some((_, waker)) = state.task.as_ref().filter(|_| state.is_elsewhere()) {
            // The function's task has not read yet, and must be woken when a message arrives.
            waker.wake_by_ref();
        }
    }

    /// Drops all messages and all answers in progress.
    pub(super) fn end(&self) {
        let incoming = self.0.lock().incoming.take();
        // Code of the user runs here, so the lock must be free.
        drop(incoming);
    }

    /// Returns the function's next message.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Next<M>> {
        let state = &mut *self.0.lock();
        let elsewhere = state.is_elsewhere();
        let Some(incoming) = &mut state.incoming else {
            return Poll::Ready(Ok(None));
        };
        let next = if elsewhere {
            match incoming.poll_kept(cx) {
                Poll::Ready(Some(next)) => Poll::Ready(next),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        } else {
            incoming.poll_recv(cx)
        };
        state.waits = next.is_pending();
        state.has_received |= next.is_ready() && !elsewhere;
        if state.waits {
            store(&mut state.reader, cx);
            let task = state.task.as_ref();
            state.has_read = task.is_some_and(|(_, waker)| waker.will_wake(cx.waker()));
        }
        next
    }

    /// Runs the function, and reads while it waits for something other than a message.
    ///
    /// An error at such a time ends the function, which might never receive it.
    pub(super) async fn run(
        self: Arc<Self>,
        function: impl Future<Output = Result<(), ProtocolError>>,
    ) -> Result<(), ProtocolError> {
        let _ended = Ended(&self);
        let mut function = pin!(function);
        poll_fn(|cx| {
            self.begin_turn(cx);
            match function.as_mut().poll(cx) {
                Poll::Pending => self.end_turn(cx),
                ended => ended,
            }
        })
        .await
    }

    fn begin_turn(&self, cx: &mut Context<'_>) {
        let state = &mut *self.0.lock();
        state.has_read = false;
        state.has_received = false;
        match (&mut state.task, task::try_id()) {
            (Some((_, waker)), _) => waker.clone_from(cx.waker()),
            (none, id) => *none = id.map(|id| (id, cx.waker().clone())),
        }
        if state.reads_first {
            state.read(cx);
        }
    }

    fn end_turn(&self, cx: &mut Context<'_>) -> Poll<Result<(), ProtocolError>> {
        let state = &mut *self.0.lock();
        // Every second turn at most, so that messages do not starve the function in turn.
        state.reads_first =
            !state.reads_first && !state.has_received && !coop::has_budget_remaining();
        // A function that waits for a message gets an error as the next.
        let waits = state.waits;
        if !state.has_read {
            state.read(cx);
        }
        if waits {
            return Poll::Pending;
        }
        let incoming = state.incoming.as_mut();
        let failed = incoming.and_then(Incoming::take_failed);
        failed.map_or(Poll::Pending, |error| Poll::Ready(Err(error)))
    }
}

impl<M: RequestMessages> State<M> {
    /// Whether the caller runs in another task than the function.
    fn is_elsewhere(&self) -> bool {
        (self.task.as_ref()).is_some_and(|(id, _)| task::try_id() != Some(*id))
    }

    fn read(&mut self, cx: &mut Context<'_>) {
        if let Some(incoming) = &mut self.incoming
            && incoming.poll_unread(cx)
            && self.waits
        {
            self.wake_reader();
        }
    }

    fn wake_reader(&mut self) {
        self.waits = false;
        if let Some(reader) = &self.reader {
            reader.wake_by_ref();
        }
    }
}

/// Keeps the waker of `cx`.
fn store(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        // This does nothing if both wake the same task.
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

/// Notes, when it is dropped, that the task of the function reads no more.
struct Ended<'a, M: RequestMessages>(&'a Messages<M>);

impl<M: RequestMessages> Drop for Ended<'_, M> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.task = None;
        // A channel that has moved to another task is read there from now on.
        state.wake_reader();
    }
}

//! What the function of a peer and the task that runs the function share.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::{self, Id};

use super::incoming::Incoming;
use crate::channel::Received;
use crate::message::RequestMessages;
use crate::mutex::Mutex;
use crate::peer::ProtocolError;

/// A peer's messages, which are read by two sides.
///
/// While the function awaits a message, it reads. At other times, the task that runs the function
/// reads, so that responses arrive even if the function waits for one.
pub(super) struct Messages<M: RequestMessages>(Mutex<State<M>>);

struct State<M: RequestMessages> {
    /// `None` before requests begin, and after the function has dropped its channel.
    incoming: Option<Incoming<M>>,
    /// Whether the function awaits a message. Only one side reads at a time, since only the last
    /// reader is woken.
    awaited: bool,
    /// The task that runs the function.
    task: Option<(Id, Waker)>,
}

impl<M: RequestMessages> Messages<M> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            incoming: None,
            awaited: false,
            task: None,
        }))
    }

    pub(super) fn begin(&self, incoming: Incoming<M>) {
        self.0.lock().incoming = Some(incoming);
    }

    /// Drops all messages and all answers in progress.
    pub(super) fn end(&self) {
        let incoming = self.0.lock().incoming.take();
        // Code of the user runs here, so the lock must be free.
        drop(incoming);
    }

    /// Returns the function's next message.
    pub(super) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Received<M>>, ProtocolError>> {
        let mut state = self.0.lock();
        let Some(incoming) = &mut state.incoming else {
            return Poll::Ready(Ok(None));
        };
        let next = incoming.poll_recv(cx);
        state.await_message(next.is_pending());
        next
    }

    /// Notes that the function no longer awaits a message.
    pub(super) fn stop_awaiting(&self) {
        self.0.lock().await_message(false);
    }

    /// Runs the function, and reads while it waits for something other than a message.
    pub(super) async fn run<T>(self: Arc<Self>, function: impl Future<Output = T>) -> T {
        let mut function = pin!(function);
        poll_fn(|cx| {
            let result = function.as_mut().poll(cx);
            if result.is_pending() {
                self.poll_unread(cx);
            }
            result
        })
        .await
    }

    fn poll_unread(&self, cx: &mut Context<'_>) {
        let mut state = self.0.lock();
        if state.incoming.is_some() {
            state.note_task(cx);
        }
        if !state.awaited
            && let Some(incoming) = &mut state.incoming
        {
            incoming.poll_unread(cx);
        }
    }
}

impl<M: RequestMessages> State<M> {
    fn await_message(&mut self, awaited: bool) {
        let before = std::mem::replace(&mut self.awaited, awaited);
        // If the function has moved its channel to another task, the function's own task does not
        // know that it has to read now.
        if before
            && !awaited
            && let Some((id, waker)) = &self.task
            && task::try_id() != Some(*id)
        {
            waker.wake_by_ref();
        }
    }

    fn note_task(&mut self, cx: &Context<'_>) {
        let known = self.task.as_ref();
        if !known.is_some_and(|(_, waker)| waker.will_wake(cx.waker())) {
            self.task = task::try_id().map(|id| (id, cx.waker().clone()));
        }
    }
}

use std::future::Future;
use std::sync::Arc;

use peermux::SendError;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, oneshot};

use super::ClientError;
use crate::mutex::Mutex;

/// One kind of request to one peer; at most one such request is open.
///
/// `P` is the state kept until the answer arrives, `A` is the answer. If a caller gives up, its
/// request stays open. So a late answer is neither taken for the answer to the next request nor
/// treated as a breach of the protocol.
#[derive(Debug)]
pub(crate) struct Question<P, A> {
    turn: Arc<Turn<()>>,
    state: Mutex<State<P, A>>,
}

#[derive(Debug)]
enum State<P, A> {
    Idle,
    Open(Asked<P, A>),
    Ended,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked<P, A> {
    pub(crate) progress: P,
    answer: oneshot::Sender<A>,
    _turn: OwnedMutexGuard<()>,
}

impl<P, A> Asked<P, A> {
    /// Gives the answer to the caller, if the caller still waits.
    pub(crate) fn answer(self, answer: A) {
        let _ = self.answer.send(answer);
    }
}

impl<P, A> Question<P, A> {
    pub(crate) fn new() -> Self {
        Self {
            turn: Arc::default(),
            state: Mutex::new(State::Idle),
        }
    }

    /// Waits until no other request is open, then opens a request and sends it. The returned
    /// receiver fails when the connection ends.
    ///
    /// # Cancel safety
    /// Cancel safe: a request that has not been sent is not left open.
    pub(crate) async fn ask(
        &self,
        progress: P,
        send: impl Future<Output = Result<(), SendError>>,
    ) -> Result<oneshot::Receiver<A>, ClientError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (answer, receiver) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if matches!(*state, State::Ended) {
                return Err(ClientError::Ended);
            }
            *state = State::Open(Asked {
                progress,
                answer,
                _turn: turn,
            });
        }
        // The answer may arrive before `send` returns, so the request is opened first.
        let mut unsent = Unsent(Some(self));
        send.await?;
        unsent.0 = None;
        Ok(receiver)
    }

    /// Calls `look` with the state of the open request, if any.
    pub(crate) fn with_open<R>(&self, look: impl FnOnce(&mut P) -> R) -> Option<R> {
        match &mut *self.state.lock() {
            State::Open(asked) => Some(look(&mut asked.progress)),
            _ => None,
        }
    }

    /// Closes the open request, if any, and returns it.
    pub(crate) fn take(&self) -> Option<Asked<P, A>> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Idle) {
            State::Open(asked) => Some(asked),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Fails the open request and all later ones.
    pub(crate) fn end(&self) {
        *self.state.lock() = State::Ended;
    }
}

/// Closes its request when dropped, unless the request was sent.
struct Unsent<'a, P, A>(Option<&'a Question<P, A>>);

impl<P, A> Drop for Unsent<'_, P, A> {
    fn drop(&mut self) {
        if let Some(question) = self.0 {
            question.take();
        }
    }
}

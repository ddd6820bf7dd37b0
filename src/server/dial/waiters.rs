//! The calls that wait for a connection to a node.

use std::collections::HashMap;
use std::sync::MutexGuard;

use tokio::sync::oneshot;

use crate::mutex::Mutex;
use crate::node::NodeId;
use crate::peer::Peer;
use crate::server::DialError;

type Answer = Result<Peer, DialError>;

/// The calls that wait for nodes; all calls for one node get the same answer.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<NodeId, Vec<oneshot::Sender<Answer>>>,
    closed: bool,
}

impl Waiters {
    /// Returns a receiver of the next answer about a node. After [`close`](Self::close) there are
    /// no answers.
    pub(crate) fn join(&self, id: NodeId) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.closed {
            state.waiting.entry(id).or_default().push(sender);
        }
        receiver
    }

    /// Returns whether any call waits for a node.
    pub(crate) fn any(&self, id: &NodeId) -> bool {
        self.lock().waiting.contains_key(id)
    }

    /// Removes the calls that have stopped waiting for a node.
    pub(crate) fn leave(&self, id: &NodeId) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(id) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                state.waiting.remove(id);
            }
        }
    }

    /// Answers all calls that wait for a node.
    pub(crate) fn answer(&self, id: &NodeId, answer: &Answer) {
        let waiting = self.lock().waiting.remove(id);
        for sender in waiting.into_iter().flatten() {
            // A call that has stopped waiting needs no answer.
            sender.send(answer.clone()).ok();
        }
    }

    /// Ends all current and future waits without an answer.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

//! The open requests, estimates and counts of one peer.

use std::collections::HashMap;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use super::estimate::{Estimate, Estimates};
use super::stats::RequestStats;
use crate::channel::{Charge, ProtocolSender, Received};
use crate::message::RequestMessages;
use crate::mutex::Mutex;
use crate::peer::Peer;

/// A peer that can receive requests, while its protocol runs.
pub(super) struct Remote<M> {
    pub(super) peer: Peer,
    pub(super) sender: ProtocolSender<M>,
    /// One permit for each request that may be open. The semaphore is closed when the protocol
    /// ends.
    pub(super) places: Semaphore,
    /// Number of slots for open requests.
    pub(super) max_open: usize,
    state: Mutex<State<M>>,
}

struct State<M> {
    open: HashMap<u64, Open<M>>,
    next_id: u64,
    /// The number of abandoned requests whose responses may still arrive.
    given_up: u64,
    ended: bool,
    estimates: Estimates,
    stats: RequestStats,
}

/// A request that waits for its response.
pub(super) struct Open<M> {
    pub(super) request: u64,
    pub(super) response: u64,
    pub(super) max_response: usize,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Result<Answer<M>, Wrong>>,
}

/// A response, and the charge for its memory. The charge lasts until the caller receives the
/// response.
pub(super) struct Answer<M> {
    pub(super) message: M,
    pub(super) _charge: Charge,
}

/// Why a response does not answer its request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrong {
    Code(u64),
    Size(usize),
}

/// Whether a response was expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The response answers an open request.
    Asked,
    /// The response answers a request that had been abandoned.
    Late,
    /// The response answers no request, or has the wrong type or size for its request.
    Unasked,
}

/// How a request ends without a response.
#[derive(Debug, Clone, Copy)]
pub(super) enum GivenUp {
    /// The request was never sent.
    Unsent,
    TimedOut,
    Cancelled,
}

impl<M: RequestMessages> Remote<M> {
    pub(super) fn new(peer: Peer, sender: ProtocolSender<M>, max_open: usize) -> Self {
        Self {
            peer,
            sender,
            places: Semaphore::new(max_open.min(Semaphore::MAX_PERMITS)),
            max_open,
            state: Mutex::new(State {
                open: HashMap::new(),
                next_id: 1,
                given_up: 0,
                ended: false,
                estimates: Estimates::default(),
                stats: RequestStats::default(),
            }),
        }
    }

    /// Opens a request and returns its id; `None` once the protocol has ended.
    pub(super) fn open(&self, request: Open<M>) -> Option<u64> {
        let mut state = self.state.lock();
        if state.ended {
            return None;
        }
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        state.open.insert(id, request);
        Some(id)
    }

    /// Closes a request that got no response, if the request is still open.
    pub(super) fn give_up(&self, id: u64, how: GivenUp) {
        let mut state = self.state.lock();
        let Some(open) = state.open.remove(&id) else {
            return;
        };
        state.given_up += u64::from(!matches!(how, GivenUp::Unsent));
        match how {
            GivenUp::Unsent => {}
            GivenUp::Cancelled => state.stats.cancelled += 1,
            GivenUp::TimedOut => {
                state.stats.timed_out += 1;
                state.estimates.change(open.request, Estimate::timed_out);
            }
        }
    }

    /// Hands a response to the caller that waits for it.
    pub(super) fn settle(&self, id: u64, response: Received<M>) -> Settled {
        let (size, code) = (response.size(), response.code());
        let mut state = self.state.lock();
        let Some(open) = state.open.remove(&id) else {
            if state.given_up > 0 && id < state.next_id {
                state.given_up -= 1;
                state.stats.late += 1;
                return Settled::Late;
            }
            state.stats.unasked += 1;
            return Settled::Unasked;
        };
        let wrong = if code != open.response {
            Some(Wrong::Code(code))
        } else if size > open.max_response {
            Some(Wrong::Size(size))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            state.stats.unasked += 1;
            drop(state);
            // This fails if the caller has stopped waiting, which does no harm.
            open.answer.send(Err(wrong)).ok();
            return Settled::Unasked;
        }
        state.stats.answered += 1;
        let took = open.since.elapsed();
        state
            .estimates
            .change(open.request, |estimate| estimate.answered(took, size));
        drop(state);
        let (message, charge) = response.into_message_and_charge();
        let answer = Answer {
            message,
            _charge: charge,
        };
        open.answer.send(Ok(answer)).ok();
        Settled::Asked
    }

    /// Fails all open requests, and rejects further ones.
    pub(super) fn end(&self) {
        let open = {
            let mut state = self.state.lock();
            state.ended = true;
            std::mem::take(&mut state.open)
        };
        self.places.close();
        drop(open);
    }

    pub(super) fn estimate(&self, request: u64) -> Option<Estimate> {
        self.state.lock().estimates.of(request)
    }

    pub(super) fn stats(&self) -> RequestStats {
        let state = self.state.lock();
        RequestStats {
            open: state.open.len(),
            ..state.stats
        }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut RequestStats)) {
        change(&mut self.state.lock().stats);
    }
}

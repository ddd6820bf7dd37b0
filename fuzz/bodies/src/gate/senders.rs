use std::task::Poll;

use peermux::{Message, ProtocolSender, TrySendError};

use super::super::input::Input;
use super::super::waiting::{Waiting, payload};
use super::model::{Flush, Model};

/// A size that fits into a frame with any message id, with a margin.
const MOST: usize = (16 << 20) - 4096;

/// The current senders.
pub(super) struct Senders {
    lanes: Vec<ProtocolSender>,
    sending: Vec<Sending>,
    next_code: u64,
}

struct Sending {
    waiting: Waiting<Result<(), peermux::SendError>>,
    lane: usize,
    code: u64,
    size: usize,
    /// Whether the sender waits until its message is written.
    flushes: bool,
    queued: bool,
}

impl Senders {
    pub(super) fn new(lanes: Vec<ProtocolSender>) -> Self {
        Self {
            lanes,
            sending: Vec::new(),
            next_code: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sending.len()
    }

    fn message(&mut self, input: &mut Input<'_>) -> (Message, u64, usize) {
        self.next_code += 1;
        let payload = payload(input);
        let size = payload.len().min(MOST);
        let payload = payload.slice(..size);
        (Message::new(self.next_code, payload), self.next_code, size)
    }

    /// Starts a sender. It makes progress when woken senders next continue.
    pub(super) fn start(&mut self, lane: usize, flushes: bool, input: &mut Input<'_>) {
        if self.sending.len() > 20 {
            return;
        }
        let (message, code, size) = self.message(input);
        let sender = self.lanes[lane].clone();
        let sending = async move {
            if flushes {
                sender.send_and_flush(&message).await
            } else {
                sender.send(&message).await
            }
        };
        self.sending.push(Sending {
            waiting: Waiting::new(sending),
            lane,
            code,
            size,
            flushes,
            queued: false,
        });
    }

    pub(super) fn try_send(
        &mut self,
        lane: usize,
        input: &mut Input<'_>,
        model: &mut Model,
        room: [usize; 2],
    ) {
        let (message, code, size) = self.message(input);
        let result = self.lanes[lane].try_send(&message);
        match model.closed() {
            Some(error) => assert_eq!(result, Err(TrySendError::Refused(error))),
            None if model.has_room(lane, size, room) => {
                assert_eq!(result, Ok(()));
                model.queue(lane, code, size, Flush::Nobody);
            }
            None => assert_eq!(result, Err(TrySendError::Full)),
        }
    }

    /// Cancels one sender.
    pub(super) fn cancel(&mut self, choice: u8) {
        if !self.sending.is_empty() {
            let index = usize::from(choice) % self.sending.len();
            self.sending.remove(index);
        }
    }

    /// Continues one sender if it was woken. Returns whether it was woken.
    pub(super) fn advance(&mut self, index: usize, model: &mut Model, room: [usize; 2]) -> bool {
        let one = &mut self.sending[index];
        let Some(polled) = one.waiting.poll_if_woken() else {
            return false;
        };
        let taken = !one.queued && model.closed().is_none();
        let taken = taken && model.has_room(one.lane, one.size, room);
        if taken {
            let flush = if one.flushes {
                Flush::Awaited
            } else {
                Flush::Nobody
            };
            model.queue(one.lane, one.code, one.size, flush);
            one.queued = true;
        }
        let expected = one.outcome(model);
        let ended = polled.is_ready();
        assert_eq!(
            polled, expected,
            "message {} of lane {}",
            one.code, one.lane
        );
        if ended {
            self.sending.remove(index);
        }
        true
    }

    /// Checks that each waiting sender has a reason to wait.
    pub(super) fn check(&self, model: &Model, room: [usize; 2]) {
        for one in &self.sending {
            assert!(one.outcome(model).is_pending(), "a sender was not woken");
            let lone = !one.queued && model.is_empty(one.lane);
            let kept = !lone || !model.has_room(one.lane, one.size, room);
            assert!(kept, "a sender waits for an empty lane");
        }
    }
}

impl Sending {
    /// Returns the result that the sender must have.
    fn outcome(&self, model: &Model) -> Poll<Result<(), peermux::SendError>> {
        if self.queued && (!self.flushes || model.was_written(self.code)) {
            return Poll::Ready(Ok(()));
        }
        let in_there = self.queued && model.is_there(self.code);
        match model.closed() {
            Some(error) if !in_there => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    }
}

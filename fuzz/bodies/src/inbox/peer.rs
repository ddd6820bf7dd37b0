use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use peermux::channel::NodeBudget;
use peermux::channel::fuzzing::{Account, Entrance, Entry};
use peermux::{Message, ProtocolLimits, ProtocolReceiver, Received};

use super::super::input::Input;
use super::super::waiting::{Bell, Waiting, payload, size};
use super::{FREE_PER_PEER, MESSAGE_COST, PER_NODE, PER_PEER};

/// A peer with two protocols, and its expected state.
pub(super) struct Peer {
    account: Account,
    inboxes: [Inbox; 2],
    sealing: usize,
    ended: bool,
    /// The read loop, if it waits for room. The numbers are its message's protocol, size and code.
    waiting: Option<(Waiting<bool>, usize, usize, u64)>,
    next_code: u64,
}

struct Inbox {
    limits: ProtocolLimits,
    entrance: Entrance,
    reader: Option<ProtocolReceiver>,
    bell: Arc<Bell>,
    reader_waits: bool,
    /// The codes and sizes of queued messages.
    queued: VecDeque<(u64, usize)>,
    held: Vec<Received<Message>>,
    closed: bool,
}

impl Inbox {
    fn new(account: &Account, choice: u8) -> Self {
        let limits = ProtocolLimits::default()
            .with_queue_messages(usize::from(choice & 7) + 1)
            .with_queue_bytes(1 << (10 + (choice >> 3)).min(25));
        let (entrance, reader) = Entrance::new(account, limits);
        Self {
            limits,
            entrance,
            reader: Some(reader),
            bell: Arc::default(),
            reader_waits: false,
            queued: VecDeque::new(),
            held: Vec::new(),
            closed: false,
        }
    }

    fn messages(&self) -> usize {
        self.queued.len() + self.held.len()
    }

    fn bytes(&self) -> usize {
        let queued: usize = self.queued.iter().map(|(_, size)| size).sum();
        queued + self.held.iter().map(Received::size).sum::<usize>()
    }

    fn admits(&self, size: usize) -> bool {
        self.messages() == 0
            || self.messages() < self.limits.queue_messages()
                && self.bytes() + size <= self.limits.queue_bytes()
    }

    fn queue(&mut self, code: u64, size: usize) {
        self.queued.push_back((code, size));
        self.reader_must_wake();
    }

    fn reader_must_wake(&mut self) {
        if std::mem::take(&mut self.reader_waits) {
            assert!(self.bell.has_rung(), "the reader was not woken");
        }
    }

    fn poll(&mut self) -> Option<Poll<Option<Received<Message>>>> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let reader = self.reader.as_mut()?;
        let next = reader.poll_next_unpin(&mut Context::from_waker(&waker));
        Some(next.map(|next| next.map(|message| message.expect("raw ones are not decoded"))))
    }
}

impl Peer {
    pub(super) fn new(node: &NodeBudget, choice: u8) -> Self {
        let account = Account::open(node);
        Self {
            inboxes: [choice, !choice].map(|choice| Inbox::new(&account, choice)),
            account,
            sealing: 0,
            ended: false,
            waiting: None,
            next_code: 0,
        }
    }

    fn received(&self) -> usize {
        let cost = |inbox: &Inbox| inbox.bytes() + inbox.messages() * MESSAGE_COST;
        self.inboxes.iter().map(cost).sum()
    }

    pub(super) fn beyond_free(&self) -> usize {
        (self.received() + self.sealing).saturating_sub(FREE_PER_PEER)
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.account.is_evicted()
    }

    pub(super) fn is_living(&self) -> bool {
        !self.is_evicted() && !self.ended
    }

    pub(super) fn is_going(&self) -> bool {
        self.is_evicted() && !self.ended
    }

    /// Returns the expected result of a push. `used` is what all peers hold beyond their free
    /// parts.
    fn foretell(&self, which: usize, size: usize, used: usize) -> Entry {
        let inbox = &self.inboxes[which];
        let received = self.received() + size + MESSAGE_COST;
        let sum = received + self.sealing;
        let more = sum.saturating_sub(FREE_PER_PEER) - self.beyond_free();
        if inbox.closed {
            Entry::Closed
        } else if !inbox.admits(size) {
            Entry::Full
        } else if received > PER_PEER {
            Entry::OverPeer
        } else if more > 0 && used + more > PER_NODE {
            Entry::OverNode
        } else {
            Entry::Taken
        }
    }

    fn message(&mut self, input: &mut Input<'_>) -> Message {
        self.next_code += 1;
        Message::new(self.next_code, payload(input))
    }

    pub(super) fn push(&mut self, which: usize, input: &mut Input<'_>, used: usize) {
        let message = self.message(input);
        let (code, size) = (message.code, message.payload.len());
        let expected = self.foretell(which, size, used);
        let inbox = &mut self.inboxes[which];
        assert_eq!(inbox.entrance.push(message), expected);
        if expected == Entry::Taken {
            inbox.queue(code, size);
        }
    }

    pub(super) fn give_up(&mut self, which: usize, input: &mut Input<'_>, used: usize) {
        let size = size(input);
        let expected = self.foretell(which, size, used);
        assert_eq!(self.inboxes[which].entrance.give_up(size), expected);
    }

    pub(super) fn wait_to_push(&mut self, which: usize, input: &mut Input<'_>) {
        if self.waiting.is_none() {
            let message = self.message(input);
            let (code, size) = (message.code, message.payload.len());
            let entrance = self.inboxes[which].entrance.clone();
            let waiting = Waiting::new(entrance.push_when_free(message));
            self.waiting = Some((waiting, which, size, code));
        }
    }

    pub(super) fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    /// Polls the waiting read loop if it was woken, and returns the expected result.
    pub(super) fn advance(&mut self, used: usize) -> Option<Entry> {
        let (waiting, which, size, code) = self.waiting.as_mut()?;
        let (which, size, code) = (*which, *size, *code);
        let polled = waiting.poll_if_woken()?;
        let expected = self.foretell(which, size, used);
        match polled {
            Poll::Pending => {
                assert!(!matches!(expected, Entry::Taken | Entry::Closed));
            }
            Poll::Ready(taken) => {
                let entry = if taken { Entry::Taken } else { Entry::Closed };
                assert_eq!(entry, expected);
                self.waiting = None;
                if taken {
                    self.inboxes[which].queue(code, size);
                }
            }
        }
        Some(expected)
    }

    pub(super) fn take(&mut self, which: usize) {
        let inbox = &mut self.inboxes[which];
        let Some(polled) = inbox.poll() else { return };
        match (polled, inbox.queued.pop_front()) {
            (Poll::Ready(Some(message)), Some(expected)) => {
                assert_eq!((message.code, message.size()), expected, "in order");
                inbox.held.push(message);
            }
            (Poll::Ready(None), None) => assert!(inbox.closed),
            (Poll::Pending, None) => {
                assert!(!inbox.closed);
                inbox.reader_waits = true;
            }
            (polled, expected) => panic!("{polled:?}, not {expected:?}"),
        }
    }

    pub(super) fn drop_held(&mut self, which: usize, choice: u8) {
        let held = &mut self.inboxes[which].held;
        if !held.is_empty() {
            held.swap_remove(usize::from(choice) % held.len());
        }
    }

    pub(super) fn seal(&mut self, input: &mut Input<'_>) {
        self.sealing = size(input);
        self.account.set_sealing(self.sealing);
    }

    pub(super) fn close(&mut self, which: usize, keep: bool) {
        let inbox = &mut self.inboxes[which];
        inbox.entrance.close(keep);
        inbox.closed = true;
        if !keep {
            inbox.queued.clear();
        }
        inbox.reader_must_wake();
    }

    pub(super) fn shrink(&mut self, which: usize) {
        self.inboxes[which].entrance.shrink();
    }

    pub(super) fn drop_reader(&mut self, which: usize) {
        let inbox = &mut self.inboxes[which];
        inbox.reader_waits = false;
        if inbox.reader.take().is_some() {
            inbox.closed = true;
            inbox.queued.clear();
        }
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.account.end();
    }

    /// Checks that charges equal the held memory, and that no task waits needlessly. `used` is what
    /// all peers hold beyond their free parts.
    pub(super) fn check(&self, used: usize) {
        assert_eq!(self.account.held(), self.received() + self.sealing);
        for inbox in &self.inboxes {
            let most = inbox.limits.queue_messages().max(1);
            assert!(inbox.messages() <= most, "the queue exceeds its bound");
            let lone = inbox.messages() == 1;
            assert!(lone || inbox.bytes() <= inbox.limits.queue_bytes());
        }
        if let Some((_, which, size, _)) = &self.waiting {
            let expected = self.foretell(*which, *size, used);
            assert!(
                !matches!(expected, Entry::Taken | Entry::Closed),
                "the read loop waits although there is room"
            );
        }
    }
}

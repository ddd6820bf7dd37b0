//! Lets fuzz targets drive the inbox, the write gate and their budgets step by step.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use tokio::time::Instant;

use super::gate::{Batch, Flushed, Lane, LaneSettings, Next, WriteGate};
use super::inbox::{Inbox, PushError};
use super::sender::Target;
use super::tap::MessageTap;
use super::{
    Class, NodeBudget, OverBudget, PeerBudget, ProtocolLimits, ProtocolReceiver, ProtocolSender,
    SendError, WriteError,
};
use crate::message::Message;
use crate::p2p::DisconnectReason;

/// One peer's memory account.
#[derive(Debug, Clone)]
pub struct Account(Arc<PeerBudget>);

impl Account {
    /// Opens an account for another peer.
    pub fn open(node: &NodeBudget) -> Self {
        Self(node.open())
    }

    /// The bytes that the peer holds now in both directions.
    pub fn held(&self) -> usize {
        self.0.held()
    }

    /// Whether the peer must be disconnected to make room for others.
    pub fn is_evicted(&self) -> bool {
        self.0.evicted().now_or_never().is_some()
    }

    /// Records that the peer's tasks have ended.
    pub fn end(&self) {
        self.0.end();
    }

    /// Sets the memory that sealing takes.
    pub fn set_sealing(&self, bytes: usize) {
        self.0.set_sealing(bytes);
    }
}

/// Whether a message was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The message was accepted.
    Taken,
    /// There is no room in the queue.
    Full,
    /// The peer has used up its budget.
    OverPeer,
    /// The peers together have used up the node's budget.
    OverNode,
    /// The queue is closed.
    Closed,
}

/// The read loop's end of one protocol's inbox.
#[derive(Debug, Clone)]
pub struct Entrance {
    inbox: Inbox,
    budget: Arc<PeerBudget>,
}

impl Entrance {
    /// Creates an inbox; returns the read loop's end and the handler's end.
    pub fn new(account: &Account, limits: ProtocolLimits) -> (Self, ProtocolReceiver) {
        let budget = Arc::clone(&account.0);
        let inbox = Inbox::new(limits, Some(Arc::clone(&budget)));
        let receiver = ProtocolReceiver::new(inbox.clone(), MessageTap::silent());
        (Self { inbox, budget }, receiver)
    }

    /// Queues a message, if there is room now.
    pub fn push(&self, message: Message) -> Entry {
        match self.inbox.reserve(message.payload.len()) {
            Ok(room) => {
                room.push(message, Instant::now());
                Entry::Taken
            }
            Err(error) => entry(error),
        }
    }

    /// Reserves room for a message that then turns out to be damaged.
    pub fn give_up(&self, bytes: usize) -> Entry {
        self.inbox
            .reserve(bytes)
            .map_or_else(entry, |_| Entry::Taken)
    }

    /// Queues a message once there is room; returns false if the queue is closed.
    pub async fn push_when_free(self, message: Message) -> bool {
        let size = message.payload.len();
        let attempt = || self.inbox.reserve_if_open(size);
        let room = self.budget.when_freed(attempt).await;
        let has_room = room.is_some();
        if let Some(room) = room {
            room.push(message, Instant::now());
        }
        has_room
    }

    /// Accepts no more messages.
    ///
    /// If `keep` is set, queued messages stay readable.
    pub fn close(&self, keep: bool) {
        self.inbox.close(keep);
    }

    /// Frees the memory of an empty queue.
    pub fn shrink(&self) {
        self.inbox.shrink();
    }
}

fn entry(error: PushError) -> Entry {
    match error {
        PushError::Closed => Entry::Closed,
        PushError::Full | PushError::TooFast => Entry::Full,
        PushError::OverBudget(OverBudget::Peer) => Entry::OverPeer,
        PushError::OverBudget(OverBudget::Node) => Entry::OverNode,
    }
}

/// A write gate, with the messages that its write loop has taken.
pub struct Exit {
    gate: Arc<WriteGate>,
    batch: Batch,
}

/// The next step of the write loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The write loop writes the messages in [`Exit::taken`].
    Write,
    /// The write loop writes the Disconnect, if there is a reason.
    Finish(Option<DisconnectReason>),
    /// The write loop writes nothing more.
    Stop,
}

impl Exit {
    /// Creates a gate with one lane for each element of `lanes`.
    ///
    /// An element contains a lane's limits, its weight and the offset of its codes.
    pub fn new(
        account: &Account,
        lanes: &[(ProtocolLimits, u32, u64)],
    ) -> (Self, Vec<ProtocolSender>) {
        let settings = lanes.iter().map(|&(limits, weight, _)| LaneSettings {
            limits,
            class: Class::Normal,
            weight,
        });
        let gate = WriteGate::new(settings.collect(), Arc::clone(&account.0));
        let senders = lanes.iter().enumerate().map(|(index, &(_, _, offset))| {
            let lane = Lane::new(&gate, index, offset);
            ProtocolSender::new(Target::Lane(lane), u64::MAX >> 1)
        });
        let senders = senders.collect();
        let batch = Batch::default();
        (Self { gate, batch }, senders)
    }

    /// Requests a Ping.
    pub fn ping(&self) {
        self.gate.ping();
    }

    /// Requests a Pong.
    pub fn pong(&self) {
        self.gate.pong();
    }

    /// Takes messages to write, until they reach `limit` bytes.
    ///
    /// Messages that an earlier call took and that were not written are lost.
    pub fn poll_next(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Turn> {
        let next = std::pin::pin!(self.gate.next(&mut self.batch, limit));
        next.poll(cx).map(|next| match next {
            Next::Batch => Turn::Write,
            Next::Finish(reason) => Turn::Finish(reason),
            Next::Stop => Turn::Stop,
        })
    }

    /// The messages taken but not written: the lane, the id and the size of each.
    pub fn taken(&self) -> Vec<(Option<usize>, u64, usize)> {
        let messages = self.batch.messages();
        messages
            .map(|(lane, message)| (lane, message.id, message.payload.len()))
            .collect()
    }

    /// Writes the first `count` messages that were taken.
    pub fn write(&mut self, count: usize) {
        self.batch.counted(count, |lane, messages| {
            self.gate.count_written(lane, messages);
        });
        for (_, message) in self.batch.drain(count) {
            if let Some(Flushed::One(flushed)) = message.flushed {
                let _ = flushed.send(());
            }
        }
    }

    /// Accepts no more messages.
    ///
    /// If `drain` is set, queued messages are still sent.
    pub fn finish(&self, drain: bool, reason: Option<DisconnectReason>) {
        self.gate.finish(drain, reason);
    }

    /// Closes the gate after a failed write; returns the error that waiting senders must receive.
    pub fn fail(&self, kind: io::ErrorKind) -> SendError {
        let failure = WriteError::new(kind.into());
        self.gate.fail(failure.clone());
        SendError::WriteFailed(failure)
    }

    /// Closes the gate immediately; returns how many messages were never written.
    pub fn close(&self) -> usize {
        self.gate.close()
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").finish_non_exhaustive()
    }
}

//! Sends one message to many peers.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

use super::Server;
use crate::channel::{Lane, SendError, SharedPayload, TrySendError};
use crate::message::WireMessage;
use crate::node::NodeId;
use crate::p2p::DisconnectReason;
use crate::peer::Peer;
use crate::rlpx::{MAX_PAYLOAD, max_payload};
use crate::settings::settings;

settings! {
    /// How a [broadcast](Server::broadcast) handles peers whose queue is full.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct BroadcastPolicy {
        /// How long to wait for peers with full queues, in total. Default: zero.
        wait / with_wait: Duration = Duration::ZERO;
        /// What to do with a peer if its queue is still full. Default: [`WhenSlow::Drop`].
        when_slow / with_when_slow: WhenSlow = WhenSlow::Drop;
    }
}

/// What to do with a peer that has no room for a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenSlow {
    /// The message is dropped and counted.
    #[default]
    Drop,
    /// The peer is disconnected with [`USELESS_PEER`](DisconnectReason::USELESS_PEER).
    Disconnect,
}

/// The outcome of a broadcast.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastReport {
    /// The number of peers whose sending queue has received the message.
    pub sent: usize,
    /// The peers that did not get the message, and why.
    pub dropped: Vec<(NodeId, NotSent)>,
}

/// Why a peer did not get a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The peer's sending queue is full.
    #[error("the sending queue is full")]
    Full,
    /// The message cannot be sent to the peer.
    #[error(transparent)]
    Refused(SendError),
}

/// Why a broadcast was sent to no peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// The message is larger than its protocol allows or than any peer accepts.
    #[error("a payload of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// The payload's size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The memory budget of the node has no room for the message.
    #[error("the node's memory budget has no room for {size} bytes")]
    NoMemory {
        /// The payload's size in bytes.
        size: usize,
    },
}

impl BroadcastReport {
    /// Returns how many peers had a full queue.
    #[must_use]
    pub fn full(&self) -> usize {
        let full = self.dropped.iter().filter(|(_, why)| *why == NotSent::Full);
        full.count()
    }

    fn note(&mut self, peer: &Peer, result: Result<(), NotSent>) {
        match result {
            Ok(()) => self.sent += 1,
            Err(why) => self.dropped.push((peer.id(), why)),
        }
    }
}

impl Server {
    /// Sends a message to all peers that speak its protocol and satisfy `to`.
    ///
    /// The message is encoded and compressed once. All peers share the memory of the result. The
    /// message counts once towards the node's memory budget, but fully towards the limits of each
    /// peer.
    ///
    /// If the protocol has its own handshake, `to` should accept only peers that have passed it,
    /// because the message would otherwise also be sent to peers in the handshake.
    ///
    /// No peer delays the others: the message is first queued for all peers with room. Then the
    /// call waits for the remaining peers together.
    ///
    /// # Errors
    /// [`BroadcastError`] if the message was sent to no peer because of its size.
    ///
    /// # Cancel safety
    /// If the call is dropped, the message has been sent to all peers with room, and to some of the
    /// others.
    #[doc(alias("publish", "send to all"))]
    pub async fn broadcast<M: WireMessage>(
        &self,
        message: &M,
        policy: BroadcastPolicy,
        to: impl Fn(&Peer) -> bool,
    ) -> Result<BroadcastReport, BroadcastError> {
        let (code, payload) = (message.code(), message.encode());
        let mut report = BroadcastReport::default();
        let peers = self.peers().into_iter().filter(|peer| to(peer));
        let lanes = peers.filter_map(|peer| Some((peer.lane_of::<M>()?, peer)));
        let mut lanes = lanes.peekable();
        if lanes.peek().is_none() {
            return Ok(report);
        }
        let (size, limit) = (payload.len(), M::max_size(code));
        if size > limit {
            return Err(BroadcastError::TooLarge { size, limit });
        }
        let limit = MAX_PAYLOAD;
        let shared = SharedPayload::new(payload, self.memory());
        let shared = shared.map_err(|_| BroadcastError::TooLarge { size, limit })?;
        let shared = shared.ok_or(BroadcastError::NoMemory { size })?;
        let mut slow = Vec::new();
        for ((lane, length), peer) in lanes {
            match try_send(&lane, length, code, &shared) {
                Err(NotSent::Full) => slow.push((lane, peer)),
                result => report.note(&peer, result),
            }
        }
        wait_for(slow, code, &shared, policy, &mut report).await;
        Ok(report)
    }
}

fn try_send(
    lane: &Lane,
    length: u64,
    code: u64,
    payload: &Arc<SharedPayload>,
) -> Result<(), NotSent> {
    if code >= length {
        return Err(NotSent::Refused(SendError::InvalidCode { code, length }));
    }
    let (size, limit) = (payload.data().plain().len(), max_payload(lane.id(code)));
    if size > limit {
        return Err(NotSent::Refused(SendError::TooLarge { code, size, limit }));
    }
    let sent = lane.try_send_shared(code, payload);
    sent.map_err(|error| match error {
        TrySendError::Full => NotSent::Full,
        TrySendError::Refused(error) => NotSent::Refused(error),
    })
}

/// Waits for the peers without room, as long as the policy allows.
async fn wait_for(
    slow: Vec<(Lane, Peer)>,
    code: u64,
    payload: &Arc<SharedPayload>,
    policy: BroadcastPolicy,
    report: &mut BroadcastReport,
) {
    let wait = policy.wait();
    let mut waiting: FuturesUnordered<_> = slow
        .into_iter()
        .map(|(lane, peer)| async move {
            let sending = lane.send_shared(code, payload);
            let sent = if wait.is_zero() {
                None
            } else {
                timeout(wait, sending).await.ok()
            };
            (peer, sent)
        })
        .collect();
    while let Some((peer, sent)) = waiting.next().await {
        if sent.is_none() && policy.when_slow() == WhenSlow::Disconnect {
            peer.disconnect(DisconnectReason::USELESS_PEER);
        }
        let result = match sent {
            None => Err(NotSent::Full),
            Some(sent) => sent.map_err(NotSent::Refused),
        };
        report.note(&peer, result);
    }
}

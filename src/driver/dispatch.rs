//! From a message id to the queue of the protocol that it belongs to.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::arena::Arena;
use crate::channel::{
    Inbox, MessageTap, PeerBudget, ProtocolLimits, PushError, Room, WhenFull, WriteGate,
};
use crate::message::Message;
use crate::p2p::{self, SharedCapability, decode_disconnect, ids};
use crate::peer::{Peer, PeerError, PingLimiter};
use crate::rlpx::Frame;
use crate::time::after;

/// What a base message may declare after the Hello, in uncompressed bytes.
const MAX_BASE_PAYLOAD: usize = 2048;

/// One matched protocol, as the read loop sees it.
pub(crate) struct Route {
    pub(crate) shared: SharedCapability,
    pub(crate) limits: ProtocolLimits,
    pub(crate) inbox: Inbox,
    pub(crate) tap: MessageTap,
    /// How long the handler may take no message while its queue is full.
    pub(crate) stall_limit: Duration,
}

/// Routes the messages of one connection.
pub(crate) struct Dispatch {
    /// By offset; the ranges are compact, from the base protocol upwards.
    routes: Vec<Route>,
    gate: Arc<WriteGate>,
    budget: Arc<PeerBudget>,
    pings: PingLimiter,
    peer: Peer,
    /// Where the small payloads of each route lie: what one protocol leaves unread must not keep
    /// memory that others fill.
    payloads: Vec<Arena>,
}

impl Dispatch {
    pub(crate) fn new(
        routes: Vec<Route>,
        gate: Arc<WriteGate>,
        budget: Arc<PeerBudget>,
        peer: Peer,
        pings: PingLimiter,
    ) -> Self {
        Self {
            payloads: routes.iter().map(|_| Arena::default()).collect(),
            routes,
            gate,
            budget,
            pings,
            peer,
        }
    }

    /// Gives the memory of empty queues back, and that for payloads.
    pub(crate) fn shrink(&mut self) {
        self.payloads.iter_mut().for_each(Arena::shrink);
        for route in &self.routes {
            route.inbox.shrink();
        }
    }

    /// Handles one frame. Waits only while the queue of the frame's protocol, or a memory
    /// budget, is full. An error ends the peer.
    pub(crate) async fn handle(&mut self, frame: &Frame<'_>) -> Result<(), PeerError> {
        if frame.id() < p2p::BASE_LENGTH {
            self.base(frame)
        } else {
            self.route(frame).await
        }
    }

    fn base(&mut self, frame: &Frame<'_>) -> Result<(), PeerError> {
        if frame.id() == ids::DISCONNECT {
            let reason = decode_disconnect(frame.data(), frame.is_compressed());
            return Err(PeerError::Remote(reason));
        }
        frame.payload_len_within(MAX_BASE_PAYLOAD)?;
        match frame.id() {
            ids::PING if !self.pings.admit(Instant::now()) => return Err(PeerError::PingFlood),
            ids::PING => self.gate.pong(),
            ids::PONG => self.peer.control().note_pong(),
            // A second Hello and reserved ids are ignored.
            _ => {}
        }
        Ok(())
    }

    async fn route(&mut self, frame: &Frame<'_>) -> Result<(), PeerError> {
        let id = frame.id();
        let index = self
            .routes
            .partition_point(|route| route.shared.codes().end <= id);
        let Some(route) = self.routes.get(index) else {
            let last = self
                .routes
                .last()
                .map_or(p2p::BASE_LENGTH, |r| r.shared.codes().end)
                - 1;
            return Err(PeerError::UnknownMessage { id, last });
        };
        let size = frame.payload_len_within(route.limits.max_message())?;
        let room = match route.inbox.reserve(size) {
            Ok(room) => room,
            // The handler takes nothing more: its protocol is about to end the peer.
            Err(PushError::Closed) => return Ok(()),
            Err(PushError::Full) if route.limits.when_full() == WhenFull::DropNewest => {
                route.inbox.count_dropped();
                route.tap.dropped();
                return Ok(());
            }
            Err(PushError::Full | PushError::OverBudget(_)) => {
                // Boxed, since idle connections would keep room for this.
                let room = wait_for_room(route, size, &self.budget, &self.peer);
                match Box::pin(room).await? {
                    Some(room) => room,
                    None => return Ok(()),
                }
            }
        };
        room.push(Message {
            code: id - route.shared.offset,
            payload: frame.payload_in(size, &mut self.payloads[index])?,
        });
        Ok(())
    }
}

/// Stops reading until there is room for a message in one protocol's queue and in the memory
/// budgets. `None`: its handler takes nothing more.
async fn wait_for_room<'a>(
    route: &'a Route,
    bytes: usize,
    budget: &PeerBudget,
    peer: &Peer,
) -> Result<Option<Room<'a>>, PeerError> {
    peer.control().note_pause(true);
    route.inbox.watch();
    let room = room_or_stall(route, bytes, budget).await;
    route.inbox.unwatch();
    peer.control().note_pause(false);
    room
}

/// Waits for room as long as the handler makes progress at least once in the stall limit.
async fn room_or_stall<'a>(
    route: &'a Route,
    bytes: usize,
    budget: &PeerBudget,
) -> Result<Option<Room<'a>>, PeerError> {
    let inbox = &route.inbox;
    let mut room = pin!(budget.when_freed(|| inbox.reserve_if_open(bytes)));
    let mut progress = Instant::now();
    loop {
        if let Ok(room) = timeout_at(after(progress, route.stall_limit), &mut room).await {
            return Ok(room);
        }
        match inbox.progress() {
            // The handler has taken messages since: it is slow, not stalled.
            Some(later) if later > progress => progress = later,
            _ => break,
        }
    }
    let capability = route.shared.capability.clone();
    let waited = progress.elapsed();
    match inbox.reserve(bytes) {
        Ok(room) => Ok(Some(room)),
        Err(PushError::Closed) => Ok(None),
        Err(PushError::Full) => Err(PeerError::Stalled {
            capability,
            stalled: waited,
        }),
        Err(PushError::OverBudget(_)) => Err(PeerError::NoRoom { capability, waited }),
    }
}

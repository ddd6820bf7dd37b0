//! Routes each message to the queue of its protocol, by its id.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::trace;

use super::pause::{Pause, Pausing, cause_of};
use crate::arena::Arena;
use crate::channel::{
    Inbox, MessageTap, PeerBudget, ProtocolLimits, PushError, Room, WhenFull, WhenOver, WriteGate,
};
use crate::message::Message;
use crate::p2p::{self, SharedCapability, decode_disconnect, ids};
use crate::peer::{Peer, PeerError, PingLimiter, count_round_trip};
use crate::recorder::{DropCause, Notes, PauseCause, PingNote, RecordedEvent};
use crate::rlpx::Frame;
use crate::time::after;

/// Maximum uncompressed size that a base message after the Hello may declare, in bytes.
const MAX_BASE_PAYLOAD: usize = 2048;

/// One matched protocol, as the read loop sees it.
pub(crate) struct Route {
    pub(crate) shared: SharedCapability,
    pub(crate) limits: ProtocolLimits,
    pub(crate) inbox: Inbox,
    pub(crate) tap: MessageTap,
    /// Maximum time that the handler may leave a full queue untouched.
    pub(crate) stall_limit: Duration,
}

impl Route {
    /// Counts a received message as dropped.
    fn drop_newest(&self) {
        self.inbox.count_dropped();
        self.tap.dropped();
    }
}

/// Routes the messages of one connection.
pub(crate) struct Dispatch {
    /// The routes, sorted by offset. Their id ranges are contiguous and begin after the base
    /// protocol.
    routes: Vec<Route>,
    gate: Arc<WriteGate>,
    budget: Arc<PeerBudget>,
    pings: PingLimiter,
    peer: Peer,
    notes: Notes,
    /// One arena per route for small payloads.
    ///
    /// The arenas are separate, so that unread messages of one protocol do not keep the memory of
    /// other protocols.
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
            notes: Notes::new(&peer.control().recorder),
            peer,
        }
    }

    /// Frees the memory that empty queues and the arenas do not need.
    pub(crate) fn shrink(&mut self) {
        self.payloads.iter_mut().for_each(Arena::shrink);
        for route in &self.routes {
            route.inbox.shrink();
        }
        self.notes.shrink();
    }

    /// Passes the notes about everything that was read at `at` to the recorder.
    pub(crate) fn hand_over(&mut self, at: Instant) {
        self.notes.hand_over(at);
    }

    /// Begins a pause of reading that no protocol has caused.
    pub(crate) fn pause(&self, cause: PauseCause) -> Pause<'_> {
        let pausing = Pausing {
            index: None,
            capability: None,
            cause,
        };
        Pause::begin(&self.peer, pausing)
    }

    /// Handles one frame, which was complete at `at`.
    ///
    /// This waits only while the queue of the frame's protocol, or a memory budget, is full. An
    /// error ends the connection.
    pub(crate) async fn handle(&mut self, frame: &Frame<'_>, at: Instant) -> Result<(), PeerError> {
        if frame.id() < p2p::BASE_LENGTH {
            self.base(frame, at)
        } else {
            self.route(frame, at).await
        }
    }

    fn base(&mut self, frame: &Frame<'_>, at: Instant) -> Result<(), PeerError> {
        if frame.id() == ids::DISCONNECT {
            let reason = decode_disconnect(frame.data(), frame.is_compressed());
            self.notes
                .note(at, || RecordedEvent::DisconnectReceived { reason });
            return Err(PeerError::Remote(reason));
        }
        frame.payload_len_within(MAX_BASE_PAYLOAD)?;
        match frame.id() {
            ids::PING => {
                self.notes.ping(at, PingNote::Received);
                if !self.pings.admit(Instant::now()) {
                    return Err(PeerError::PingFlood);
                }
                self.gate.pong();
            }
            ids::PONG => {
                self.notes.hand_over(at);
                if let Some(round_trip) = self.peer.control().note_pong() {
                    count_round_trip(&self.peer, round_trip);
                }
            }
            // A second Hello and reserved ids are ignored.
            _ => {}
        }
        Ok(())
    }

    async fn route(&mut self, frame: &Frame<'_>, at: Instant) -> Result<(), PeerError> {
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
        let (protocol, code) = (number(index), id - route.shared.offset);
        let dropped = |cause| RecordedEvent::Dropped {
            protocol,
            code,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            cause,
        };
        let arrived = route.inbox.arrived(size);
        let room = match arrived.and_then(|()| route.inbox.reserve(size)) {
            Ok(room) => room,
            // The handler takes no more messages, since its protocol is about to end the
            // connection.
            Err(PushError::Closed) => return Ok(()),
            Err(PushError::Full) if route.limits.when_full() == WhenFull::DropNewest => {
                self.notes.note(at, || dropped(DropCause::QueueFull));
                route.drop_newest();
                return Ok(());
            }
            Err(PushError::TooFast) => {
                self.notes.note(at, || dropped(DropCause::TooFast));
                if route.limits.when_over() == WhenOver::DropNewest {
                    route.drop_newest();
                    return Ok(());
                }
                return Err(PeerError::TooFast(route.shared.capability.clone()));
            }
            Err(full @ (PushError::Full | PushError::OverBudget(_))) => {
                self.notes.hand_over(at);
                let pausing = Pausing {
                    index: Some(protocol),
                    capability: Some(&route.shared.capability),
                    cause: cause_of(full),
                };
                let pause = Pause::begin(&self.peer, pausing);
                // Boxed, so that idle connections reserve no memory for this.
                let room = wait_for_room(route, size, &self.budget, pause);
                match Box::pin(room).await? {
                    Some(room) => room,
                    None => return Ok(()),
                }
            }
        };
        let message = Message {
            code,
            payload: frame.payload_in(size, &mut self.payloads[index])?,
        };
        let unread = room.push(message, at);
        trace!(protocol = %route.shared.capability, code, size, unread, "received");
        self.notes.note(at, || RecordedEvent::Received {
            protocol,
            code,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            unread: number(unread),
        });
        Ok(())
    }
}

/// Stops reading until the protocol's queue and the memory budgets have room.
///
/// Returns `None` if the handler takes no more messages.
async fn wait_for_room<'a>(
    route: &'a Route,
    bytes: usize,
    budget: &PeerBudget,
    pause: Pause<'_>,
) -> Result<Option<Room<'a>>, PeerError> {
    route.inbox.watch();
    let room = room_or_stall(route, bytes, budget).await;
    route.inbox.count_pause(pause.so_far());
    route.inbox.unwatch();
    if room.is_ok() {
        pause.end();
    }
    room
}

/// Converts a number to the recorder's 16 bits; larger numbers become the maximum.
pub(super) fn number(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Waits for room, or until the handler has made no progress for the stall limit.
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
            // The handler has taken messages in the meantime, so it is slow, but not stalled.
            Some(later) if later > progress => progress = later,
            _ => break,
        }
    }
    let capability = route.shared.capability.clone();
    let waited = progress.elapsed();
    match inbox.reserve(bytes) {
        Ok(room) => Ok(Some(room)),
        Err(PushError::Closed) => Ok(None),
        Err(PushError::Full | PushError::TooFast) => Err(PeerError::Stalled {
            capability,
            stalled: waited,
        }),
        Err(PushError::OverBudget(_)) => Err(PeerError::NoRoom { capability, waited }),
    }
}

//! From a message id to the queue of the protocol that it belongs to.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::gate::WriteGate;
use super::liveness::PingLimiter;
use super::stall::StallClock;
use super::{OverBudget, Peer, PeerBudget, PeerConfig, PeerError};
use crate::arena::Arena;
use crate::p2p::{self, Capability, SharedCapability, decode_disconnect, ids};
use crate::protocol::{Inbox, Message, ProtocolLimits, PushError};
use crate::rlpx::{Frame, FrameError};

/// What a base message may declare after the Hello, in uncompressed bytes.
const MAX_BASE_PAYLOAD: usize = 2048;

/// One matched protocol, as the read loop sees it.
pub(crate) struct Route {
    shared: SharedCapability,
    limits: ProtocolLimits,
    inbox: Inbox,
    stall: StallClock,
}

impl Route {
    pub(crate) fn new(
        shared: SharedCapability,
        limits: ProtocolLimits,
        inbox: Inbox,
        config: &PeerConfig,
    ) -> Self {
        Self {
            shared,
            limits,
            inbox,
            stall: StallClock::new(config.stall_limit),
        }
    }
}

/// Routes the messages of one connection.
pub(crate) struct Dispatch {
    /// By offset; the ranges are compact, from the base protocol upwards.
    routes: Vec<Route>,
    gate: Arc<WriteGate>,
    budget: Arc<PeerBudget>,
    pings: PingLimiter,
    peer: Peer,
    payloads: Arena,
}

impl Dispatch {
    pub(crate) fn new(
        routes: Vec<Route>,
        gate: Arc<WriteGate>,
        budget: Arc<PeerBudget>,
        peer: Peer,
    ) -> Self {
        Self {
            routes,
            gate,
            budget,
            pings: PingLimiter::new(Instant::now()),
            peer,
            payloads: Arena::default(),
        }
    }

    /// Gives the memory of empty queues back, and that for payloads.
    pub(crate) fn shrink(&mut self) {
        self.payloads.shrink();
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
        let declared = frame.payload_len()?;
        if declared > MAX_BASE_PAYLOAD {
            return Err(FrameError::PayloadTooLarge {
                got: declared as u64,
                max: MAX_BASE_PAYLOAD,
            }
            .into());
        }
        match frame.id() {
            ids::PING if !self.pings.admit(Instant::now()) => return Err(PeerError::PingFlood),
            ids::PING => self.gate.pong(),
            ids::PONG => {
                let (now, control) = (Instant::now(), self.peer.control());
                control.with_liveness(|liveness| liveness.on_pong(now));
                control.ponged.notify_waiters();
            }
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
        let Some(route) = self.routes.get_mut(index) else {
            let last = self
                .routes
                .last()
                .map_or(p2p::BASE_LENGTH, |r| r.shared.codes().end)
                - 1;
            return Err(PeerError::UnknownMessage { id, last });
        };
        let declared = frame.payload_len()?;
        if declared > route.limits.max_message() {
            let max = route.limits.max_message();
            return Err(FrameError::PayloadTooLarge {
                got: declared as u64,
                max,
            }
            .into());
        }
        let charge = match route.inbox.reserve(declared) {
            Ok(charge) => charge,
            // The handler takes nothing more: its protocol is about to end the peer.
            Err(PushError::Closed) => return Ok(()),
            Err(PushError::Full | PushError::OverBudget(_)) => {
                // Boxed, since idle connections would keep room for this.
                let room = wait_for_room(route, declared, &self.budget, &self.peer);
                match Box::pin(room).await? {
                    Some(charge) => charge,
                    None => return Ok(()),
                }
            }
        };
        let payload = frame.payload_in(declared, &mut self.payloads)?;
        route.inbox.push(
            Message {
                code: id - route.shared.offset,
                payload,
            },
            charge,
        );
        Ok(())
    }
}

/// Stops reading until one protocol's queue has room, for as long as its stall clock allows.
async fn wait_for_room(
    route: &mut Route,
    bytes: usize,
    budget: &PeerBudget,
    peer: &Peer,
) -> Result<Option<crate::protocol::Charge>, PeerError> {
    if route.inbox.take_relaxed() {
        route.stall.reset();
    }
    let started = Instant::now();
    peer.control()
        .with_liveness(|liveness| liveness.on_pause(true, started));
    let inbox = &route.inbox;
    let attempt = || match inbox.reserve(bytes) {
        Ok(charge) => Ok(Some(charge)),
        Err(PushError::Closed) => Ok(None),
        Err(PushError::Full) => Err(OverBudget::Peer),
        Err(PushError::OverBudget(over)) => Err(over),
    };
    let waited = timeout(route.stall.remaining(), budget.when_freed(attempt)).await;
    let now = Instant::now();
    peer.control()
        .with_liveness(|liveness| liveness.on_pause(false, now));
    route.stall.spend(now - started);
    waited.map_err(|_| stalled(&route.shared.capability, &route.stall))
}

fn stalled(capability: &Capability, stall: &StallClock) -> PeerError {
    PeerError::Stalled {
        capability: capability.clone(),
        stalled: stall.spent(),
    }
}

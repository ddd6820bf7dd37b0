//! The protocols that both sides share, and the state of each protocol on one connection.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::PeerOptions;
use super::dispatch::{Route, number};
use crate::channel::{
    HoldObserver, Inbox, Lane, LaneSettings, MessageTap, PeerBudget, ProtocolConn, ProtocolLimits,
    WriteGate,
};
use crate::guarded::caught;
use crate::p2p::SharedCapability;
use crate::peer::{OpenLane, Peer, PeerEvents, Protocol, ProtocolError};
use crate::recorder::{Hold, HoldCause, Recorder};

/// One protocol on one connection. Its index in the list is also its lane in the write gate.
pub(super) struct Attached {
    pub(super) shared: SharedCapability,
    pub(super) inbox: Inbox,
    protocol: Protocol,
    limits: ProtocolLimits,
    tap: MessageTap,
}

/// Attaches protocols to a connection, with queues that fit the peer's memory budget.
pub(super) fn attach(
    matched: Vec<(SharedCapability, Protocol)>,
    options: &PeerOptions,
    peer: &Peer,
    budget: &Arc<PeerBudget>,
) -> Vec<Attached> {
    let limits = fitted_limits(&matched, options.budget().limits().per_peer());
    let attached = |((shared, protocol), limits): ((SharedCapability, Protocol), _)| {
        let events = options.events().as_ref();
        let observer = events.and_then(|events| PeerEvents::observer(events, &shared, peer));
        let meters = &peer.control().meters;
        Attached {
            inbox: Inbox::new(limits, Some(Arc::clone(budget))),
            tap: MessageTap::new(meters, &shared.capability, observer),
            shared,
            protocol,
            limits,
        }
    };
    matched.into_iter().zip(limits).map(attached).collect()
}

impl Attached {
    pub(super) fn lane_settings(&self) -> LaneSettings {
        LaneSettings {
            limits: self.limits,
            class: self.protocol.class(),
            weight: self.protocol.weight(),
        }
    }

    /// Returns the lane's first message id and its tap, for the write loop.
    pub(super) fn lane_tap(&self) -> (u64, MessageTap) {
        (self.shared.offset, self.tap.clone())
    }

    /// Returns the protocol's route, for the read loop.
    pub(super) fn route(&self, stall_limit: Duration) -> Route {
        Route {
            shared: self.shared.clone(),
            limits: self.limits,
            inbox: self.inbox.clone(),
            tap: self.tap.clone(),
            stall_limit,
        }
    }

    /// Returns the protocol's lane into the gate. From this call on, the recorder notes each wait
    /// for the protocol's quotas.
    pub(super) fn lane(
        &self,
        gate: &Arc<WriteGate>,
        index: usize,
        recorder: &Arc<Recorder>,
    ) -> Lane {
        let lane = Lane::new(gate, index, self.shared.offset);
        let observer = |cause| -> Box<HoldObserver> {
            let (protocol, recorder) = (number(index), Arc::clone(recorder));
            Box::new(move |at, time| {
                let hold = Hold {
                    protocol,
                    cause,
                    time,
                };
                recorder.held(at, hold);
            })
        };
        self.inbox
            .observe_holds(|| observer(HoldCause::ReceiveQuota));
        lane.observe_holds(|| observer(HoldCause::SendQuota));
        lane
    }

    /// Returns what the peer's handle needs to access the protocol's lane.
    pub(super) fn open_lane(&self, lane: &Lane) -> OpenLane {
        OpenLane {
            messages: self.protocol.messages(),
            lane: lane.downgrade(),
            inbox: self.inbox.downgrade(),
            tap: self.tap.clone(),
        }
    }

    /// Runs the protocol with its peer, and drops `starting` at the protocol's first wait.
    pub(super) fn run(
        self,
        lane: Lane,
        peer: &Peer,
        starting: Arc<Starting>,
    ) -> impl Future<Output = Result<(), ProtocolError>> + Send + 'static {
        let conn = ProtocolConn::new(self.inbox, lane, self.shared.length, self.tap);
        let protocol = self.protocol;
        // Whatever the protocol does before it returns its future runs here, in the peer's own
        // task.
        let started = caught("a protocol", || protocol.start(peer.clone(), conn));
        let mut run = started.unwrap_or_else(|| Box::pin(ready(Err(ProtocolError::Panicked))));
        let mut starting = Some(starting);
        poll_fn(move |cx| {
            let polled = Pin::new(&mut run).poll(cx);
            drop(starting.take());
            polled
        })
    }
}

/// Records on drop that all protocols are running.
///
/// Each protocol holds a reference to this until its first wait.
#[derive(Debug)]
pub(super) struct Starting(pub(super) Peer);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.control().set_running();
    }
}

/// Returns the protocols' limits, with the queue sizes scaled to the peer's budget.
///
/// Together the queues may take at most half of the budget, because the other half is for the
/// message being read.
fn fitted_limits(matched: &[(SharedCapability, Protocol)], per_peer: usize) -> Vec<ProtocolLimits> {
    let sum = matched.iter().fold(0usize, |sum, (_, protocol)| {
        sum.saturating_add(protocol.limits().queue_bytes())
    });
    let room = per_peer / 2;
    let fit = |bytes: usize| {
        if sum > room {
            (bytes as u128 * room as u128 / sum as u128) as usize
        } else {
            bytes
        }
    };
    let fitted = |protocol: &Protocol| {
        let limits = protocol.limits();
        limits.with_queue_bytes(fit(limits.queue_bytes()))
    };
    matched
        .iter()
        .map(|(_, protocol)| fitted(protocol))
        .collect()
}

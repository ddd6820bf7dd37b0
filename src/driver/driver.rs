use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span, debug, warn};

use super::busy_poll::BusyPoll;
use super::deadline::Patience;
use super::dispatch::{Dispatch, Route};
use super::gate::{Lane, LaneSettings, WriteGate};
use super::gather::Gather;
use super::handle::About;
use super::liveness::{Liveness, PingLimiter};
use super::meters::PeerMeter;
use super::read_loop::ReadLoop;
use super::supervise::Tasks;
use super::write_loop::WriteLoop;
use super::{MemoryLimits, MessageTap, NodeBudget, Peer, PeerConfig, PeerEvents, PeerOutcome};
use crate::p2p::{
    Capability, DisconnectReason, MatchError, SharedCapability, exceeds_one_byte_ids,
    match_capabilities,
};
use crate::protocol::{Inbox, Outlet, Protocol, ProtocolConn, ProtocolLimits};
use crate::setup::Established;
use crate::transport::Transport;

/// What a peer needs beside its connection. The same values serve all peers of a node.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// The timing.
    pub config: PeerConfig,
    /// The memory budget, shared with the node's other peers.
    pub budget: NodeBudget,
    /// Where messages are told, if anywhere. `Added` and `Dropped` are for the owner of the peer
    /// set to tell.
    pub events: Option<PeerEvents>,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self {
            config: PeerConfig::default(),
            budget: NodeBudget::new(MemoryLimits::default()),
            events: None,
        }
    }
}

/// A connected peer at work; nothing happens on the connection until [`run`](Self::run) is
/// polled, and dropping it closes the connection without a Disconnect.
#[must_use = "a peer does nothing until its driver runs"]
pub struct PeerDriver<T: Transport> {
    established: Established<T>,
    matched: Vec<(SharedCapability, Protocol)>,
    peer: Peer,
    options: PeerOptions,
}

impl<T: Transport> PeerDriver<T> {
    /// Matches `protocols` with what the remote announced, and prepares the peer. Without any
    /// protocol in common it still answers the base protocol.
    ///
    /// # Errors
    /// [`MatchError`] if the message codes do not fit into 64 bits.
    pub fn new(
        established: Established<T>,
        protocols: &[Protocol],
        options: PeerOptions,
    ) -> Result<Self, MatchError> {
        let local: Vec<_> = protocols
            .iter()
            .map(|protocol| (protocol.capability().clone(), protocol.length()))
            .collect();
        let shared = match_capabilities(&local, &established.hello.capabilities)?;
        if exceeds_one_byte_ids(&shared) {
            warn!(
                peer = %established.id(),
                "more than 112 message codes: some implementations read only one byte of an id"
            );
        }
        let matched = shared
            .iter()
            .filter_map(|shared| {
                let protocol = protocols.get(shared.local)?;
                Some((shared.clone(), protocol.clone()))
            })
            .collect();
        let liveness = Liveness::new(&options.config, Instant::now());
        let peer = Peer::new(About::new(&established, shared), liveness);
        Ok(Self {
            established,
            matched,
            peer,
            options,
        })
    }

    /// The handle on this peer.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Sends a Disconnect instead of running the peer, and closes in an orderly way, within 3 s.
    pub async fn refuse(self, reason: DisconnectReason) {
        self.established.refuse(reason).await;
    }

    /// Runs the peer to its end, which comes at most a few seconds after the first cause: all
    /// its tasks have ended or are aborted then. Not cancel safe: a dropped call closes the
    /// connection without a Disconnect.
    pub fn run(self) -> impl Future<Output = Arc<PeerOutcome>> + Send {
        // What is returned lives as long as the peer, and this is needed at its start alone.
        Box::new(self).run_until(|_| {})
    }

    /// As [`run`](Self::run); whoever waits for the end hears of it after `before_told`.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps room for its arguments twice"
    )]
    pub(crate) fn run_until(
        self: Box<Self>,
        before_told: impl FnOnce(&Arc<PeerOutcome>),
    ) -> impl Future<Output = Arc<PeerOutcome>> {
        async move {
            let peer = self.peer.clone();
            let guard = EndGuard(peer.clone());
            let meter = PeerMeter::new(peer.direction());
            let config = self.options.config;
            let mut tasks = self.start(&Span::current());
            let (error, drain_for) = tasks.first_cause(&peer, &config).await;
            debug!(peer = %peer.id(), %error, "peer ends");
            peer.control().ending.cancel();
            // Only the end needs the room for this.
            let unsent = Box::pin(tasks.wind_down(&error, drain_for, &config)).await;
            meter.ended(&error);
            let outcome = Arc::new(PeerOutcome {
                error,
                unsent,
                lifetime: peer.lifetime(),
            });
            before_told(&outcome);
            peer.control().set_ended(Arc::clone(&outcome));
            drop(guard);
            outcome
        }
    }

    /// From its box, which whoever unpacked it would keep, empty, for as long as the peer lives.
    fn start(self: Box<Self>, span: &Span) -> Tasks<T> {
        let Self {
            established,
            matched,
            peer,
            options,
        } = *self;
        let config = options.config;
        let budget = options.budget.open();
        let limits = fitted_limits(&matched, options.budget.limits().per_peer());
        let lanes = matched
            .iter()
            .zip(&limits)
            .map(|((_, protocol), limits)| LaneSettings {
                limits: *limits,
                weight: protocol.weight(),
            });
        let gate = WriteGate::new(lanes.collect());
        let taps: Vec<_> = matched
            .iter()
            .map(|(shared, _)| tap(&shared.capability, &options, &peer))
            .collect();
        let inboxes: Vec<_> = limits
            .iter()
            .map(|limits| Inbox::new(*limits, Some(Arc::clone(&budget))))
            .collect();
        let routes = matched
            .iter()
            .zip(&limits)
            .zip(inboxes.iter().zip(&taps))
            .map(|(((shared, _), limits), (inbox, tap))| Route {
                shared: shared.clone(),
                limits: *limits,
                inbox: inbox.clone(),
                tap: tap.clone(),
                stall_limit: config.stall_limit,
            })
            .collect();
        let stop_reading = CancellationToken::new();
        let pings = PingLimiter::new(established.link.since);
        let (to_gate, charged) = (Arc::clone(&gate), Arc::clone(&budget));
        let dispatch = Dispatch::new(routes, to_gate, charged, peer.clone(), pings);
        let mut wire = established.wire;
        // Many peers connect and say nothing for long. Memory that they gave back later would stay
        // with the process, in holes between what other peers keep.
        wire.buffer.shrink_idle();
        // The loops live as long as the peer, and a future may keep what it was given twice over.
        let reader = Box::new(ReadLoop::<T> {
            reader: wire.reader,
            ingress: wire.ingress,
            buffer: wire.buffer,
            dispatch,
            busy_poll: BusyPoll::new(Instant::now()),
            budget,
            peer: peer.clone(),
            patience: Patience {
                base: config.message_timeout,
                idle: config.progress_timeout,
            },
            stop: stop_reading.clone(),
            charged: 0,
            arriving: None,
        });
        let offsets = matched.iter().map(|(shared, _)| shared.offset);
        let writer = Box::new(WriteLoop::<T> {
            writer: wire.writer,
            egress: wire.egress,
            gate: Arc::clone(&gate),
            taps: offsets.zip(taps.iter().cloned()).collect(),
            peer: peer.clone(),
            patience: Patience {
                base: config.write_timeout,
                idle: config.progress_timeout,
            },
            gather: Gather::default(),
            used: false,
        });
        let mut protocols = JoinSet::new();
        let mut names = Vec::with_capacity(matched.len());
        for (lane, (((shared, protocol), inbox), tap)) in
            matched.iter().zip(&inboxes).zip(taps).enumerate()
        {
            let outlet = Outlet::gate(Lane::new(&gate, lane, shared.offset), shared.length);
            let conn = ProtocolConn::new(inbox.clone(), outlet, tap);
            let run = protocol.start(peer.clone(), conn).instrument(span.clone());
            names.push((protocols.spawn(run).id(), shared.capability.clone()));
        }
        Tasks {
            reader: Some(spawn(reader.run(), span)),
            read_half: None,
            writer: Some(spawn(writer.run(), span)),
            protocols,
            names,
            inboxes,
            gate,
            stop_reading,
        }
    }
}

fn spawn<R: Send + 'static>(
    task: impl Future<Output = R> + Send + 'static,
    span: &Span,
) -> AbortOnDropHandle<R> {
    AbortOnDropHandle::new(tokio::spawn(task.instrument(span.clone())))
}

fn tap(capability: &Capability, options: &PeerOptions, peer: &Peer) -> MessageTap {
    let events = options.events.as_ref();
    MessageTap::new(capability, events, peer)
}

/// The protocols' limits, with queues scaled down where together they would take more than half
/// of the peer's memory budget: the other half is for the message being read.
fn fitted_limits(matched: &[(SharedCapability, Protocol)], per_peer: usize) -> Vec<ProtocolLimits> {
    let sum = matched.iter().fold(0usize, |sum, (_, protocol)| {
        sum.saturating_add(protocol.limits().queue_bytes())
    });
    let room = per_peer / 2;
    let fit = |bytes: usize| match sum > room {
        true => (bytes as u128 * room as u128 / sum as u128) as usize,
        false => bytes,
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

/// Marks the peer as ended even if its driver is dropped half-way.
struct EndGuard(Peer);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.mark_ended();
    }
}

impl<T: Transport> std::fmt::Debug for PeerDriver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PeerDriver").field(&self.peer).finish()
    }
}

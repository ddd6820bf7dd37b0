use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span, info, info_span, warn};

use super::PeerOptions;
use super::attached::{Attached, Starting, attach};
use super::busy_poll::BusyPoll;
use super::dispatch::Dispatch;
use super::gather::Gather;
use super::read_loop::ReadLoop;
use super::supervise::{Running, Tasks};
use super::write_loop::WriteLoop;
use crate::channel::{EndAccount, WriteGate};
use crate::guarded::caught_async;
use crate::p2p::{
    DisconnectReason, MatchError, SharedCapability, exceeds_one_byte_ids, match_capabilities,
};
use crate::peer::{About, Peer, PeerMeter, PeerOutcome, PingLimiter, Protocol};
use crate::recorder::{Notes, RecordedEvent};
use crate::setup::Established;
use crate::transport::Transport;

/// Runs a connected peer.
///
/// Nothing happens on the connection until [`run`](Self::run) is polled. Dropping the driver closes
/// the connection without a Disconnect.
#[must_use = "a peer does nothing until its driver runs"]
pub struct PeerDriver<T: Transport> {
    established: Established<T>,
    matched: Vec<(SharedCapability, Protocol)>,
    peer: Peer,
    options: PeerOptions,
}

impl<T: Transport> PeerDriver<T> {
    /// Matches `protocols` with the remote's protocols, and prepares the peer.
    ///
    /// A peer without any shared protocol still answers the base protocol.
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
        let about = About::new(&established, shared);
        let peer = Peer::new(about, &options.config(), options.meters().clone());
        Ok(Self {
            established,
            matched,
            peer,
            options,
        })
    }

    /// Returns the handle to this peer.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Sends a Disconnect instead of running the peer, and closes cleanly within 3 s.
    pub async fn refuse(self, reason: DisconnectReason) {
        self.established.refuse(reason).await;
    }

    /// Runs the peer until the connection ends.
    ///
    /// This returns at most a few seconds after the first cause to end the connection. By then all
    /// tasks of the peer have ended or been aborted.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping the future closes the connection without a Disconnect.
    pub fn run(self) -> impl Future<Output = Arc<PeerOutcome>> + Send {
        // Boxed, because the returned future lives as long as the peer and needs `self` only at its
        // start.
        Box::new(self).run_until(Arc::clone)
    }

    /// Like [`run`](Self::run), but calls `before_notify` before it wakes callers of
    /// [`Peer::ended`].
    ///
    /// Returns the result of `before_notify`. The closure is also dropped before these callers
    /// wake.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` stores its arguments twice"
    )]
    pub(crate) fn run_until<R>(
        self: Box<Self>,
        before_notify: impl FnOnce(&Arc<PeerOutcome>) -> R,
    ) -> impl Future<Output = R> {
        async move {
            let peer = self.peer.clone();
            let guard = EndGuard(peer.clone());
            let before_notify = before_notify;
            let mut meter = PeerMeter::new(&peer);
            let mut tasks = self.start(&Span::current());
            let (error, drain_until) = tasks.first_cause(&peer).await;
            info!(
                node_id = %peer.id(),
                %error,
                requested_by = error.requested_by(),
                "connection ends"
            );
            meter.ending(&peer);
            let recorder = &peer.control().recorder;
            recorder.record(Instant::now(), RecordedEvent::Ending);
            peer.control().ending.cancel();
            // Boxed to keep the future of a live peer small. A transport may panic when it is used
            // or dropped; at this point such a panic is caught and ignored, since the connection is
            // ending anyway.
            let unsent = tasks.wind_down(&peer, &error, drain_until);
            let unsent = caught_async("a transport", Box::pin(unsent)).await;
            let unsent = unsent.unwrap_or_else(|| tasks.gate.close());
            meter.ended(&peer, &error);
            let outcome = Arc::new(PeerOutcome {
                error,
                unsent,
                lifetime: peer.lifetime(),
            });
            let result = before_notify(&outcome);
            peer.control().set_ended(outcome);
            drop(guard);
            result
        }
    }

    /// Starts the tasks. This consumes the box, which would otherwise stay allocated for the peer's
    /// lifetime.
    fn start(self: Box<Self>, span: &Span) -> Tasks<T> {
        let Self {
            established,
            matched,
            peer,
            options,
        } = *self;
        let config = options.config();
        let budget = options.budget().open();
        let attached = attach(matched, &options, &peer, &budget);
        let lanes = attached.iter().map(Attached::lane_settings).collect();
        let gate = WriteGate::new(lanes, Arc::clone(&budget));
        let stop_reading = CancellationToken::new();
        let mut wire = established.wire;
        // Free memory now, because many peers connect and stay silent. Memory that such a peer
        // freed later would lie between allocations of other peers and so remain with the process.
        wire.buffer.shrink_idle();
        let dispatch = Dispatch::new(
            attached
                .iter()
                .map(|one| one.route(config.stall_limit()))
                .collect(),
            Arc::clone(&gate),
            Arc::clone(&budget),
            peer.clone(),
            PingLimiter::new(established.link.since),
        );
        // Boxed, because a future may store its arguments twice, and the loops live as long as the
        // peer.
        let reader = Box::new(ReadLoop::<T> {
            reader: wire.reader,
            ingress: wire.ingress,
            buffer: wire.buffer,
            dispatch,
            busy_poll: BusyPoll::new(Instant::now()),
            budget: Arc::clone(&budget),
            peer: peer.clone(),
            patience: config.reading(),
            stop: stop_reading.clone(),
            charged: 0,
            arriving: None,
            read_at: Instant::now(),
        });
        let writer = Box::new(WriteLoop::<T> {
            writer: wire.writer,
            egress: wire.egress,
            gate: Arc::clone(&gate),
            taps: attached.iter().map(Attached::lane_tap).collect(),
            notes: Notes::new(&peer.control().recorder),
            peer: peer.clone(),
            patience: config.writing(),
            gather: Gather::default(),
            used: false,
        });
        let mut protocols = JoinSet::new();
        let mut running = Vec::with_capacity(attached.len());
        let lanes = attached.iter().enumerate();
        let lanes: Vec<_> = lanes
            .map(|(lane, one)| one.lane(&gate, lane, &peer.control().recorder))
            .collect();
        let open = attached.iter().zip(&lanes);
        let open = open.map(|(one, lane)| one.open_lane(lane)).collect();
        peer.control().set_lanes(open);
        let starting = Arc::new(Starting(peer.clone()));
        for (one, lane) in attached.into_iter().zip(lanes) {
            let (capability, inbox) = (one.shared.capability.clone(), one.inbox.clone());
            let run = one.run(lane, &peer, Arc::clone(&starting));
            let span = info_span!(parent: span, "protocol", protocol = %capability);
            let id = protocols.spawn(run.instrument(span)).id();
            running.push(Running {
                id,
                capability,
                inbox,
            });
        }
        // The driver starts only once.
        let _ = (peer.control().tasks).set(running.iter().map(|one| one.id).collect());
        Tasks {
            reader: Some(spawn(reader.run(), span)),
            read_half: None,
            writer: Some(spawn(writer.run(), span)),
            protocols,
            running,
            gate,
            budget: EndAccount(budget),
            stop_reading,
            grace_period: config.grace_period(),
            linger: config.linger(),
        }
    }
}

fn spawn<R: Send + 'static>(
    task: impl Future<Output = R> + Send + 'static,
    span: &Span,
) -> AbortOnDropHandle<R> {
    AbortOnDropHandle::new(tokio::spawn(task.instrument(span.clone())))
}

/// Marks the peer as ended on drop, so also when the driver is dropped early.
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

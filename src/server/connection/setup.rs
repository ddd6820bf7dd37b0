//! Sets up a connection, with checks after the auth and before the seat is taken.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info, info_span};

use super::remote::Remote;
use super::run::Running;
use crate::connmgr::Lease;
use crate::driver::PeerDriver;
use crate::node::{NodeId, PublicKey};
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, Protocol};
use crate::server::accept::{Awaits, Slot};
use crate::server::checks::{ENDING, Inbound, Superseded};
use crate::server::dial::NodeAddr;
use crate::server::shared::{Shared, spawn};
use crate::setup::{
    Authenticated, Direction, Established, SetupError, initiate_in_turn, receive_auth_in_turn,
};
use crate::stage::Stage;
use crate::time::after;
use crate::transport::Transport;

/// Measures the duration of one stage of a connection.
struct Passed<'a> {
    shared: &'a Shared,
    direction: Direction,
    since: Instant,
}

impl<'a> Passed<'a> {
    fn begin(shared: &'a Shared, direction: Direction) -> Self {
        Self {
            shared,
            direction,
            since: Instant::now(),
        }
    }

    fn stage(self, stage: Stage) {
        let took = self.since.elapsed();
        self.shared.meters.stage_passed(self.direction, stage, took);
    }
}

/// A connection that is being set up.
pub(crate) struct Setup<'a> {
    shared: &'a Arc<Shared>,
    /// The lease, if the connection manager opened the connection. The peer takes over the lease.
    lease: Option<Lease<NodeAddr>>,
    /// Fires when the connection manager closes the connection.
    closing: CancellationToken,
    /// The slot, if the connection was accepted.
    slot: Option<Slot>,
    started: Instant,
    remote: Remote,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, lease: Option<Lease<NodeAddr>>) -> Self {
        let closing = lease.as_ref().map(Lease::closing_token);
        Self {
            shared,
            lease,
            closing: closing.unwrap_or_default(),
            slot: None,
            started: Instant::now(),
            remote: Remote::Unknown,
        }
    }

    /// Returns the span of all log lines about the connection and its peer.
    fn span(&self, direction: Direction, addr: Option<SocketAddr>) -> Span {
        info_span!(
            "connection",
            id = self.lease.as_ref().map(|lease| lease.id().get()),
            direction = direction.as_str(),
            addr = addr.map(display),
            claimed_id = Empty,
            node_id = Empty,
        )
    }

    /// Frees the slot, and returns the remote's identity and the lease of a failed set-up.
    pub(crate) fn into_parts(self) -> (Remote, Option<Lease<NodeAddr>>) {
        (self.remote, self.lease)
    }

    /// Sets up a connection that the remote opened, and holds `slot` until the set-up ends.
    pub(crate) async fn inbound<T: Transport>(
        &mut self,
        stream: T,
        slot: Option<Slot>,
    ) -> Result<Peer, SetupError> {
        let span = self.span(Direction::Inbound, stream.remote_addr());
        let shared = self.shared;
        self.slot = slot;
        let deadline = after(Instant::now(), shared.setup_timeout);
        let steps = async {
            let turns = Some(&shared.turns);
            let waits = |remote| self.awaits(if remote { Awaits::Auth } else { Awaits::Us });
            let receive = receive_auth_in_turn(stream, &shared.key, shared.legacy, turns, waits);
            let passed = Passed::begin(shared, Direction::Inbound);
            let received = self.bounded(deadline, Stage::Auth, receive).await?;
            passed.stage(Stage::Auth);
            let claimed = received.claimed().node_id();
            self.remote = Remote::Claimed(claimed);
            Span::current().record("claimed_id", display(claimed));
            let mut turn = shared.tie_break.inbound(claimed);
            let held = async {
                turn.before_ack().await;
                Ok(())
            };
            self.bounded(deadline, Stage::Auth, held).await?;
            let passed = Passed::begin(shared, Direction::Inbound);
            let answer = received.answer_in_turn(&shared.random, turns);
            let authenticated = self.bounded(deadline, Stage::Ack, answer).await?;
            passed.stage(Stage::Ack);
            let established = self.answer(deadline, authenticated).await?;
            turn.verified();
            self.launch(established)
        };
        steps.instrument(span).await
    }

    /// Sets up a connection that this side opened to `remote`.
    pub(crate) async fn outbound<T: Transport>(
        &mut self,
        stream: T,
        remote: &PublicKey,
    ) -> Result<Peer, SetupError> {
        let span = self.span(Direction::Outbound, stream.remote_addr());
        span.record("node_id", display(remote.node_id()));
        let shared = self.shared;
        let taken = SetupError::RefusedHere(DisconnectReason::ALREADY_CONNECTED);
        let Some(mut turn) = shared.tie_break.dial(remote.node_id()) else {
            return Err(taken);
        };
        let superseded = turn.superseded();
        let steps = async {
            let given_up =
                |Superseded| SetupError::RefusedHere(DisconnectReason::ALREADY_CONNECTED);
            turn.before_auth().await.map_err(given_up)?;
            let (deadline, paused) = (after(Instant::now(), shared.setup_timeout), turn.paused());
            let turns = Some(&shared.turns);
            let initiate = initiate_in_turn(stream, &shared.key, remote, &shared.random, turns);
            let passed = Passed::begin(shared, Direction::Outbound);
            let authenticated = self.bounded(deadline, Stage::Ack, initiate).await?;
            passed.stage(Stage::Ack);
            turn.before_hello().await.map_err(given_up)?;
            // The deadline is extended by the pause, because the remote did not cause the pause.
            let deadline = after(deadline, turn.paused().saturating_sub(paused));
            let established = self.greet(deadline, authenticated).await?;
            self.launch(established)
        };
        let steps = steps.instrument(span);
        tokio::select! {
            // The set-up is polled first, so that a finished peer is not dropped.
            biased;
            result = steps => result,
            Superseded = superseded => Err(taken),
        }
    }

    /// Checks whether the dialled node may still become a peer, and exchanges Hellos.
    async fn greet<T: Transport>(
        &self,
        deadline: Instant,
        authenticated: Authenticated<T>,
    ) -> Result<Established<T>, SetupError> {
        let id = authenticated.id();
        let waiting = Instant::now();
        self.let_end(deadline, &id).await?;
        // The deadline is extended by this wait, because the remote did not cause the wait.
        let deadline = after(deadline, waiting.elapsed());
        if let Err((error, reason)) = self.check_banned(&id).and_then(|()| self.check(&id, None)) {
            self.dismiss(authenticated.refuse(reason));
            return Err(error);
        }
        self.exchange_hello(deadline, authenticated).await
    }

    /// Checks for a free seat, exchanges Hellos, and only then checks the node.
    ///
    /// A remote that claims another node's identity must not learn whether that node is connected
    /// or banned.
    async fn answer<T: Transport>(
        &mut self,
        deadline: Instant,
        authenticated: Authenticated<T>,
    ) -> Result<Established<T>, SetupError> {
        let inbound = self.inbound_from(Direction::Inbound, authenticated.remote_addr());
        match self.check(&authenticated.id(), inbound) {
            Ok(()) | Err((_, DisconnectReason::ALREADY_CONNECTED)) => {}
            Err((error, reason)) => {
                self.dismiss(authenticated.refuse(reason));
                return Err(error);
            }
        }
        self.awaits(Awaits::Hello);
        let established = self.exchange_hello(deadline, authenticated).await?;
        self.awaits(Awaits::Us);
        let id = established.id();
        self.remote = Remote::Proven(id);
        Span::current().record("node_id", display(id));
        if let Err((error, reason)) = self.check_banned(&id) {
            self.dismiss(established.refuse(reason));
            return Err(error);
        }
        if let Err(error) = self.let_end(after(deadline, ENDING), &id).await {
            self.dismiss(
                established.refuse(
                    error
                        .reason_to_send()
                        .unwrap_or(DisconnectReason::REQUESTED),
                ),
            );
            return Err(error);
        }
        Ok(established)
    }

    fn awaits(&self, awaits: Awaits) {
        if let Some(slot) = &self.slot {
            slot.awaits(awaits);
        }
    }

    /// If an earlier peer of the same node is ending, waits for its end.
    async fn let_end(&self, deadline: Instant, id: &NodeId) -> Result<(), SetupError> {
        let let_end = async {
            self.shared.checks.peers.let_end(id).await;
            Ok(())
        };
        self.bounded(deadline, Stage::Hello, let_end).await
    }

    fn check_banned(&self, id: &NodeId) -> Result<(), (SetupError, DisconnectReason)> {
        if self.shared.checks.is_banned(id) {
            Err((SetupError::Banned { id: *id }, DisconnectReason::REQUESTED))
        } else {
            Ok(())
        }
    }

    fn check(
        &self,
        id: &NodeId,
        inbound: Option<Inbound>,
    ) -> Result<(), (SetupError, DisconnectReason)> {
        let checked = self.shared.checks.peers.check(id, inbound);
        checked.map_err(|reason| (SetupError::RefusedHere(reason), reason))
    }

    async fn exchange_hello<T: Transport>(
        &self,
        deadline: Instant,
        authenticated: Authenticated<T>,
    ) -> Result<Established<T>, SetupError> {
        let passed = Passed::begin(self.shared, authenticated.direction());
        let interrupted = self.interrupted(deadline, Stage::Hello);
        let exchange = authenticated.exchange_hello_unless(&self.shared.hello, interrupted);
        let failed = match exchange.await {
            Ok(established) => {
                passed.stage(Stage::Hello);
                return Ok(established);
            }
            Err(failed) => failed,
        };
        let (error, farewell) = failed.into_parts();
        match self.slot {
            // A separate task says farewell, so that the failed set-up frees its slot at once.
            Some(_) => self.dismiss(farewell),
            None => farewell.await,
        }
        Err(error)
    }

    /// Returns the origin of an inbound connection.
    ///
    /// Its address is the one that the listener reported. If there is none, the address is that of
    /// the stream.
    fn inbound_from(&self, direction: Direction, remote: Option<SocketAddr>) -> Option<Inbound> {
        let accepted = self.lease.as_ref().and_then(|lease| match lease.addr() {
            NodeAddr::Inbound(addr) => Some(*addr),
            NodeAddr::Node(_) => None,
        });
        let from = || self.shared.checks.inbound_from(accepted.or(remote));
        (direction == Direction::Inbound).then(from)
    }

    /// Limits the time of one step. If the step is interrupted, the remote gets no reason.
    async fn bounded<R>(
        &self,
        deadline: Instant,
        stage: Stage,
        step: impl Future<Output = Result<R, SetupError>>,
    ) -> Result<R, SetupError> {
        tokio::select! {
            // The step's own result is polled first, since it is more precise than a timeout.
            biased;
            result = step => result,
            error = self.interrupted(deadline, stage) => Err(error),
        }
    }

    /// Completes with an error when the set-up must end.
    ///
    /// The cause is the set-up's deadline, the server's stop, a close by the connection manager, or
    /// another connection that needs the slot.
    async fn interrupted(&self, deadline: Instant, stage: Stage) -> SetupError {
        let slot_wanted = async {
            match &self.slot {
                Some(slot) => slot.wanted().await,
                None => pending().await,
            }
        };
        let stopping = &self.shared.tasks.stopping;
        tokio::select! {
            // The more precise causes are polled first.
            biased;
            () = stopping.cancelled() => {
                SetupError::RefusedHere(DisconnectReason::CLIENT_QUITTING)
            }
            () = self.closing.cancelled() => {
                SetupError::RefusedHere(DisconnectReason::REQUESTED)
            }
            () = slot_wanted => {
                let after = self.started.elapsed();
                SetupError::TimedOut { stage, after }
            }
            () = sleep_until(deadline) => {
                let after = self.shared.setup_timeout;
                SetupError::TimedOut { stage, after }
            }
        }
    }

    /// Keeps a rejected connection open until its remote has read the reason.
    ///
    /// If [`FAREWELLS`](crate::server::shared::FAREWELLS) rejected connections are already open,
    /// closes this connection at once.
    fn dismiss(&self, farewell: impl Future<Output = ()> + Send + 'static) {
        let Ok(place) = Arc::clone(&self.shared.farewells).try_acquire_owned() else {
            return;
        };
        let farewell = async move {
            farewell.await;
            drop(place);
        };
        spawn(self.shared, farewell.in_current_span());
    }

    /// Runs the checks before the seat is taken. A connection that passes them becomes a peer.
    fn launch<T: Transport>(&mut self, established: Established<T>) -> Result<Peer, SetupError> {
        let shared = self.shared;
        let theirs = &established.hello().capabilities;
        let useful = shared.protocols.is_empty()
            || shared
                .protocols
                .iter()
                .any(|protocol| theirs.contains(protocol.capability()));
        if !useful {
            let ours = shared.protocols.iter().map(Protocol::capability);
            let error = SetupError::NothingShared {
                ours: ours.cloned().collect(),
                theirs: theirs.clone(),
            };
            self.dismiss(established.refuse(DisconnectReason::USELESS_PEER));
            return Err(error);
        }
        // This cannot fail: the server's start has checked the sum of the lengths of all protocols,
        // and the sum for the shared protocols is no larger.
        let driver = PeerDriver::new(established, &shared.protocols, shared.options.clone())
            .map_err(|_| SetupError::RefusedHere(DisconnectReason::REQUESTED))?;
        let peer = driver.peer().clone();
        let inbound = self.inbound_from(peer.direction(), peer.remote_addr());
        let request = self.lease.as_ref().map(Lease::id);
        let seat = match shared.checks.peers.insert(peer.clone(), inbound, request) {
            Ok(seat) => seat,
            Err(reason) => {
                self.dismiss(driver.refuse(reason));
                return Err(SetupError::RefusedHere(reason));
            }
        };
        // The ban is checked again, because a ban during the set-up did not find the peer in the
        // set.
        if let Err((error, reason)) = self.check_banned(&peer.id()) {
            drop(seat);
            self.dismiss(driver.refuse(reason));
            return Err(error);
        }
        let judge = Arc::downgrade(&shared.checks);
        peer.control().set_judge(judge);
        let shares = peer.shared_capabilities().iter();
        let shares: Vec<_> = shares.map(|one| one.capability.to_string()).collect();
        info!(client = %peer.name(), capabilities = %shares.join(","), "peer connected");
        let running = Running::begin(shared, peer.clone(), seat, self.lease.take());
        let run = running.run(driver, self.closing.clone());
        spawn(shared, run.in_current_span());
        Ok(peer)
    }
}

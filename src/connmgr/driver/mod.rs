//! The loop around the state machine: sockets, timers and channels.

mod commands;
mod lost;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::field::display;

use super::config::ConnConfig;
use super::dialer::Dialer;
use super::dials::{Dialed, Dials};
use super::error::ConnectError;
use super::events::{ConnEvent, EventSender};
use super::filter::DialFilter;
use super::handle::Command;
use super::lease::{Lease, Notice};
use super::listener::{AcceptQueue, Accepted};
use super::machine::{Action, Machine, Opening};
use super::request::{Address, Candidate, ConnState, ReqId};
use super::source::{Answer, DynSource};
use crate::queue::Reader;
use crate::time::{after, millis};
pub(super) use lost::Lost;

/// Reasons for the driver to wake up.
enum Wake<A: Address, Io> {
    Stop,
    DrainOver,
    Notice(Notice),
    Dialed(Dialed<Io>),
    Deadline,
    RoutesDue,
    Sourced(Answer<Candidate<A>>),
    Command(Option<Command<A>>),
    Accepted(Accepted<A, Io>),
    EventsChanged,
}

pub(super) struct Driver<D: Dialer> {
    pub(super) config: ConnConfig,
    pub(super) machine: Machine<D::Addr>,
    pub(super) dialer: Arc<D>,
    /// The address source; `None` while it is being asked, or without a source.
    pub(super) source: Option<Box<dyn DynSource<Candidate<D::Addr>>>>,
    pub(super) asking: Option<BoxFuture<'static, Answer<Candidate<D::Addr>>>>,
    pub(super) listeners: JoinSet<()>,
    /// Number of listeners that have not failed.
    pub(super) listening: usize,
    /// The queue of accepted connections; `None` when the manager is stopping.
    pub(super) accepted: Option<AcceptQueue<D::Addr, D::Io>>,
    pub(super) dials: Dials<D::Io>,
    /// Asks the owners of open connections to end them.
    pub(super) closing: HashMap<ReqId, CancellationToken>,
    pub(super) states: HashMap<ReqId, watch::Sender<ConnState>>,
    pub(super) notices: Reader<Notice>,
    /// The commands from the handles; `None` when no handle is left.
    pub(super) commands: Option<mpsc::Receiver<Command<D::Addr>>>,
    pub(super) events: EventSender<D::Addr, D::Io>,
    pub(super) stop: CancellationToken,
    pub(super) stopping: bool,
    pub(super) lost: Lost<D::Addr>,
    /// When to forget connections that owners have not ended.
    pub(super) drain_until: Option<Instant>,
}

impl<D: Dialer> Driver<D> {
    pub(super) async fn run(mut self) {
        self.machine.advance(Instant::now());
        loop {
            self.act();
            if self.machine.is_drained() {
                break;
            }
            let paused = self.events.is_full();
            if self.machine.set_paused(paused, Instant::now()) {
                continue;
            }
            let wake = self.next_wake(paused).await;
            self.handle(wake);
        }
        self.listeners.shutdown().await;
    }

    async fn next_wake(&mut self, paused: bool) -> Wake<D::Addr, D::Io> {
        let deadline = self.machine.next_deadline();
        tokio::select! {
            // A stop is polled first, then events that free slots, then events that take them.
            biased;
            () = self.stop.cancelled(), if !self.stopping => Wake::Stop,
            () = until(self.drain_until) => Wake::DrainOver,
            Some(notice) = self.notices.recv() => Wake::Notice(notice),
            Some(dialed) = self.dials.next() => Wake::Dialed(dialed),
            () = until(deadline) => Wake::Deadline,
            () = until(self.lost.ask_at()), if !self.stopping => Wake::RoutesDue,
            answer = some(self.asking.as_mut()) => Wake::Sourced(answer),
            command = receive(self.commands.as_mut()) => Wake::Command(command),
            Some(accepted) = receive(self.accepted.as_mut()), if !paused => {
                Wake::Accepted(accepted)
            }
            () = self.events.changed(paused), if !self.stopping => Wake::EventsChanged,
        }
    }

    fn handle(&mut self, wake: Wake<D::Addr, D::Io>) {
        let now = Instant::now();
        match wake {
            Wake::Stop => self.begin_stop(now),
            Wake::DrainOver => {
                self.drain_until = None;
                self.machine.close_all();
            }
            Wake::Notice(notice) => self.take_notice(notice, now),
            Wake::Dialed(dialed) => self.take_dialed(dialed, now),
            Wake::Deadline => self.machine.advance(now),
            Wake::RoutesDue => {
                if self.lost.any_returned(&*self.dialer, now) {
                    self.machine.network_changed(now);
                }
            }
            Wake::Sourced((source, candidate)) => {
                self.asking = None;
                self.source = Some(source);
                self.machine.sourced(candidate, now);
            }
            Wake::Command(Some(command)) => self.carry_out(command, now),
            Wake::Command(None) => {
                self.commands = None;
                if !self.config.keep_running() {
                    self.stop.cancel();
                }
            }
            Wake::Accepted(accepted) => self.take_accepted(accepted, now),
            Wake::EventsChanged => {
                if self.events.reader_gone() {
                    self.stop.cancel();
                }
            }
        }
    }

    fn begin_stop(&mut self, now: Instant) {
        self.stopping = true;
        self.drain_until = Some(after(now, self.config.drain()));
        self.listeners.abort_all();
        self.accepted = None;
        self.asking = None;
        self.machine.stop();
    }

    fn take_notice(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Ready { id, generation } => self.machine.ready(id, generation),
            Notice::Dropped {
                id,
                generation,
                reason,
                reconnect,
            } => {
                self.machine.dropped(id, generation, reason, reconnect, now);
            }
        }
    }

    fn take_dialed(&mut self, dialed: Dialed<D::Io>, now: Instant) {
        let Dialed {
            id,
            generation,
            result,
        } = dialed;
        let (io, outcome) = match result {
            Ok(io) => (Some(io), Ok(())),
            Err(error) => (None, Err(error)),
        };
        if let Err(ConnectError::NoRoute) = &outcome
            && let Some(addr) = self.machine.addr(id)
        {
            self.lost.note(addr, &*self.dialer, now);
        }
        let opening = self.machine.dial_done(id, generation, outcome, now);
        // If no request waits for this dial, there is no opening; the stream is then dropped, which
        // closes it.
        if let Some((opening, io)) = opening.zip(io) {
            self.open(opening, io);
        }
    }

    fn take_accepted(&mut self, accepted: Accepted<D::Addr, D::Io>, now: Instant) {
        let (io, addr) = match accepted {
            Accepted::Connection(io, addr) => (io, addr),
            Accepted::Failed { listener, error } => {
                tracing::error!(listener, %error, "a listener failed");
                self.listening = self.listening.saturating_sub(1);
                let left = self.listening;
                return self.events.push(ConnEvent::ListenerFailed {
                    left,
                    listener,
                    error,
                });
            }
        };
        match self.machine.accepted(addr.clone(), now) {
            Ok(opening) => self.open(opening, io),
            Err(cause) => {
                tracing::debug!(?addr, %cause, "closed an accepted connection");
                self.events.push(ConnEvent::InboundRejected { addr, cause });
            }
        }
    }

    fn open(&mut self, opening: Opening<D::Addr>, io: D::Io) {
        let Opening {
            id,
            kind,
            addr,
            key,
            ..
        } = &opening;
        let node_id = key.as_ref().map(display);
        tracing::debug!(
            connection = id.get(),
            node_id,
            ?addr,
            ?kind,
            "connection opened"
        );
        let closing = CancellationToken::new();
        self.closing.insert(*id, closing.clone());
        let lease = Lease::new(opening, Arc::clone(&self.notices.0), closing);
        self.events.push(ConnEvent::Opened { io, lease });
    }

    /// Carries out the machine's actions.
    fn act(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Ask => self.ask(),
                Action::Dial {
                    id,
                    generation,
                    addr,
                    key,
                } => {
                    let node_id = key.as_ref().map(display);
                    tracing::debug!(connection = id.get(), node_id, ?addr, "dialling");
                    self.dial(id, generation, addr);
                }
                Action::CancelDial { id } => self.dials.cancel(id),
                Action::Close { id } => {
                    if let Some(closing) = self.closing.get(&id) {
                        closing.cancel();
                    }
                }
                Action::State { id, state } => self.tell_state(id, state),
                Action::Closed { id, key, reason } => {
                    let node_id = key.as_ref().map(display);
                    tracing::debug!(connection = id.get(), node_id, %reason, "connection closed");
                    self.closing.remove(&id);
                    self.events.push(ConnEvent::Closed { id, reason });
                }
                Action::DialFailed {
                    id,
                    addr,
                    key,
                    error,
                    failures,
                    retry_in,
                } => {
                    let node_id = key.as_ref().map(display);
                    tracing::debug!(connection = id.get(), node_id, ?addr, %error, failures, retry_in_ms = retry_in.map(millis), "not connected");
                    self.events.push(ConnEvent::DialFailed {
                        id,
                        addr,
                        error,
                        failures,
                        retry_in,
                    });
                }
            }
        }
    }

    fn ask(&mut self) {
        if let Some(source) = self.source.take() {
            let (allowed, dialer) = (self.machine.dial_filter(), Arc::clone(&self.dialer));
            self.asking = Some(source.ask(DialFilter::new(
                move |candidate: &Candidate<D::Addr>| {
                    allowed.allows(candidate) && dialer.may_reach(candidate.addr())
                },
            )));
        }
    }

    fn dial(&mut self, id: ReqId, generation: u32, addr: D::Addr) {
        let dialer = Arc::clone(&self.dialer);
        let limit = self.config.dial_timeout();
        self.dials.start(id, generation, async move {
            timeout(limit, dialer.dial(&addr))
                .await
                .unwrap_or(Err(ConnectError::Timeout))
        });
    }

    fn tell_state(&mut self, id: ReqId, state: ConnState) {
        let terminal = state.is_terminal();
        if let Some(sender) = self.states.get(&id) {
            sender.send_replace(state);
        }
        if terminal {
            self.states.remove(&id);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

async fn some<T>(future: Option<&mut BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn receive<T>(receiver: Option<&mut mpsc::Receiver<T>>) -> Option<T> {
    match receiver {
        Some(receiver) => receiver.recv().await,
        None => pending().await,
    }
}

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::ConnConfig;
use super::dialer::Dialer;
use super::dials::Dials;
use super::driver::{Driver, Lost};
use super::events::EventSender;
use super::handle::Command;
use super::listener::{AcceptQueue, DynListener};
use super::machine::Machine;
use super::request::{Address, Candidate};
use super::source::DynSource;
use crate::queue::{Bound, Queue, Reader};

/// The task that owns all connections and requests of a manager.
///
/// A [builder](Self::builder) creates a manager. Commands that are sent before the manager runs are
/// queued.
#[must_use = "a manager does nothing until it is run"]
pub struct ConnManager<D: Dialer> {
    pub(super) config: ConnConfig,
    pub(super) machine: Machine<D::Addr>,
    pub(super) dialer: Arc<D>,
    pub(super) source: Option<Box<dyn DynSource<Candidate<D::Addr>>>>,
    pub(super) listeners: Vec<Box<dyn DynListener<D::Addr, D::Io>>>,
    pub(super) commands: mpsc::Receiver<Command<D::Addr>>,
    pub(super) events: EventSender<D::Addr, D::Io>,
    pub(super) stop: CancellationToken,
    // Dropped last, so that callers who wait for the stop wake up only when everything is closed.
    pub(super) stopped: DropGuard,
}

impl<D: Dialer> std::fmt::Debug for ConnManager<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnManager")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<D: Dialer> ConnManager<D> {
    /// Runs until the manager is [stopped](super::ConnHandle::stop).
    ///
    /// Dropping its last handle, or its events, also stops it.
    ///
    /// Dropping the future closes everything at once and emits no events.
    pub async fn run(self) {
        let Self {
            config,
            machine,
            dialer,
            source,
            listeners,
            commands,
            events,
            stop,
            stopped,
        } = self;
        let listening = listeners.len();
        let (accepted, listeners) = listen(listeners);
        Driver {
            config,
            machine,
            dialer,
            source,
            asking: None,
            listeners,
            listening,
            accepted: Some(accepted),
            dials: Dials::default(),
            closing: HashMap::new(),
            states: HashMap::new(),
            // Each open connection causes at most one notice of each kind.
            notices: Reader(Queue::new(Bound::items(usize::MAX))),
            commands: Some(commands),
            events,
            stop,
            stopping: false,
            lost: Lost::default(),
            drain_until: None,
        }
        .run()
        .await;
        drop(stopped);
    }
}

/// Starts the accept loops, each of which holds at most one undelivered connection.
fn listen<A: Address, Io: Send + 'static>(
    listeners: Vec<Box<dyn DynListener<A, Io>>>,
) -> (AcceptQueue<A, Io>, JoinSet<()>) {
    let (sender, accepted) = mpsc::channel(listeners.len().max(1));
    let mut tasks = JoinSet::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        tasks.spawn(listener.run(index, sender.clone()));
    }
    (accepted, tasks)
}

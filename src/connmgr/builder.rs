use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::ConnConfig;
use super::dialer::Dialer;
use super::events::{self, ConnEvents};
use super::filter::{AllowAll, Filter, Guarded};
use super::handle::ConnHandle;
use super::listener::{DynListener, Listener};
use super::machine::Machine;
use super::manager::ConnManager;
use super::request::Candidate;
use super::source::{AddressSource, DynSource};
use crate::settings::TooSmall;

/// While this many commands are queued, a handle has to wait.
const COMMANDS: usize = 64;

/// Builds a connection manager; see [`ConnManager::builder`].
pub struct ConnManagerBuilder<D: Dialer> {
    dialer: D,
    config: ConnConfig,
    source: Option<Box<dyn DynSource<Candidate<D::Addr>>>>,
    filter: Arc<dyn Filter<D::Addr>>,
    listeners: Vec<Box<dyn DynListener<D::Addr, D::Io>>>,
    rng: Option<StdRng>,
}

/// A manager that is not running yet, its handle and its events.
pub type Built<D> = (
    ConnManager<D>,
    ConnHandle<<D as Dialer>::Addr>,
    ConnEvents<<D as Dialer>::Addr, <D as Dialer>::Io>,
);

impl<D: Dialer> ConnManager<D> {
    /// Starts to build a manager that connects with `dialer`.
    pub fn builder(dialer: D) -> ConnManagerBuilder<D> {
        ConnManagerBuilder::new(dialer)
    }
}

impl<D: Dialer> ConnManagerBuilder<D> {
    fn new(dialer: D) -> Self {
        Self {
            dialer,
            config: ConnConfig::default(),
            source: None,
            filter: Arc::new(AllowAll),
            listeners: Vec::new(),
            rng: None,
        }
    }

    /// Sets counts, rates and times; the default is [`ConnConfig::default`].
    #[must_use]
    pub fn config(mut self, config: ConnConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the source of addresses for automatic connections.
    ///
    /// Without a source there are no automatic connections.
    #[must_use]
    pub fn source(mut self, source: impl AddressSource<Candidate<D::Addr>>) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Sets the filter of remotes; the default allows all.
    #[must_use]
    pub fn filter(mut self, filter: impl Filter<D::Addr>) -> Self {
        self.filter = Arc::new(Guarded(filter));
        self
    }

    /// Adds a listener to accept connections from.
    ///
    /// May be called several times. The manager closes the listener when it stops.
    #[must_use]
    pub fn listener(mut self, listener: impl Listener<Addr = D::Addr, Io = D::Io>) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Seeds the random waits, so that tests can repeat them.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.rng(StdRng::seed_from_u64(seed))
    }

    /// Draws waits from this generator.
    pub(crate) fn rng(mut self, rng: StdRng) -> Self {
        self.rng = Some(rng);
        self
    }

    /// Builds the manager.
    ///
    /// # Errors
    /// [`TooSmall`] if a setting is below its minimum.
    pub fn build(self) -> Result<Built<D>, TooSmall> {
        self.config.check()?;
        let (commands, received) = mpsc::channel(COMMANDS);
        let (sender, events) = events::channel(self.config.max_unread_events());
        let handle = ConnHandle {
            commands,
            stop: CancellationToken::new(),
            stopped: CancellationToken::new(),
        };
        let has_source = self.source.is_some();
        let rng = self.rng.unwrap_or_else(rand::make_rng);
        let machine = Machine::new(self.config, self.filter, has_source, rng, Instant::now());
        let manager = ConnManager {
            config: self.config,
            machine,
            dialer: Arc::new(self.dialer),
            source: self.source,
            listeners: self.listeners,
            commands: received,
            events: sender,
            stop: handle.stop.clone(),
            stopped: handle.stopped.clone().drop_guard(),
        };
        Ok((manager, handle, events))
    }
}

impl<D: Dialer> std::fmt::Debug for ConnManagerBuilder<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnManagerBuilder")
            .field("config", &self.config)
            .field("listeners", &self.listeners.len())
            .finish_non_exhaustive()
    }
}

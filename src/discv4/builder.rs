//! Starts discovery.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config::Discv4Config;
use super::contact::Contact;
use super::driver::{Driver, now};
use super::error::Discv4Error;
use super::handle::{Discv4, Parts};
use super::machine::Machine;
use super::socket::{Arrivals, DatagramSender, Inlet, UdpSender};
use crate::event_stream::EventFeed;
use crate::node::{NodeRecord, SecretKey};
use crate::runtime;

/// Maximum number of queued commands.
const COMMANDS: usize = 64;

/// Maximum number of events kept for a slow reader.
const EVENTS: usize = 1024;

/// Builds a discovery node; see [`Discv4::builder`].
#[derive(Debug)]
#[must_use]
pub struct Discv4Builder {
    key: SecretKey,
    record: NodeRecord,
    config: Discv4Config,
    seeds: Vec<Contact>,
    rng_seed: Option<u64>,
}

impl Discv4Builder {
    pub(super) fn new(key: SecretKey, record: NodeRecord) -> Self {
        Self {
            key,
            record,
            config: Discv4Config::default(),
            seeds: Vec::new(),
            rng_seed: None,
        }
    }

    /// Sets the configuration; the default is [`Discv4Config::default`].
    pub fn config(mut self, config: Discv4Config) -> Self {
        self.config = config;
        self
    }

    /// Adds nodes to ping at the start; only the first 256 are used.
    ///
    /// Pass bootnodes, and the nodes that [`Discv4::worth_keeping`] returned at the end of the last
    /// run.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = Contact>) -> Self {
        self.seeds.extend(seeds);
        self
    }

    /// Sets the seed of the random lookup targets, so that a run can be replayed.
    ///
    /// By default, the seed comes from the operating system.
    pub fn rng_seed(mut self, seed: u64) -> Self {
        self.rng_seed = Some(seed);
        self
    }

    /// Starts on its own UDP socket at this address; port 0 lets the system choose.
    ///
    /// At `[::]`, the node serves IPv4 and IPv6 where the system supports that.
    ///
    /// # Errors
    /// [`Discv4Error::Runtime`] outside of a tokio runtime, [`Discv4Error::Bind`] if the address
    /// cannot be bound, [`Discv4Error::ForeignRecord`] if the record is another node's.
    pub fn bind(self, addr: SocketAddr) -> Result<Discv4, Discv4Error> {
        runtime::with_io()?;
        let bound = std::net::UdpSocket::bind(addr);
        self.on(bound.map_err(|source| Discv4Error::Bind { addr, source })?)
    }

    /// Starts on a bound UDP socket that nothing else uses.
    ///
    /// # Errors
    /// [`Discv4Error::Runtime`] outside of a tokio runtime, [`Discv4Error::Socket`] if the socket
    /// cannot be used, [`Discv4Error::ForeignRecord`] if the record is another node's.
    pub fn on(self, socket: std::net::UdpSocket) -> Result<Discv4, Discv4Error> {
        runtime::with_io()?;
        let local = socket.local_addr().map_err(Discv4Error::Socket)?;
        let sender = UdpSender::of(&socket).map_err(Discv4Error::Socket)?;
        let arrivals = Arrivals::at(socket).map_err(Discv4Error::Socket)?;
        self.start(arrivals, Box::new(sender), Some(local))
    }

    /// Starts on a shared socket.
    ///
    /// Pass received datagrams to the returned inlet; `sender` sends the outgoing ones. Discovery
    /// ends when all clones of the inlet are dropped.
    ///
    /// # Errors
    /// [`Discv4Error::Runtime`] outside of a tokio runtime, [`Discv4Error::ForeignRecord`] if the
    /// record is another node's.
    pub fn attach(self, sender: impl DatagramSender) -> Result<(Discv4, Inlet), Discv4Error> {
        let (inlet, arrivals) = Arrivals::fed();
        let discovery = self.start(arrivals, Box::new(sender), None)?;
        Ok((discovery, inlet))
    }

    fn start(
        self,
        arrivals: Arrivals,
        sender: Box<dyn DatagramSender>,
        local_addr: Option<SocketAddr>,
    ) -> Result<Discv4, Discv4Error> {
        let runtime = runtime::with_timers()?;
        let (key, record) = (self.key.public_key().node_id(), self.record.node_id());
        if key != record {
            return Err(Discv4Error::ForeignRecord { record, key });
        }
        let rng = match self.rng_seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        let (commands, waiting) = mpsc::channel(COMMANDS);
        let (found, observed) = (EventFeed::new(EVENTS), EventFeed::new(EVENTS));
        let stop = CancellationToken::new();
        let driver = Driver {
            machine: Machine::new(self.key, self.record, self.config, &self.seeds, now(), rng),
            arrivals,
            sender,
            commands: waiting,
            found: found.clone(),
            observed: observed.clone(),
            lookups: BTreeMap::new(),
            records: BTreeMap::new(),
            stop: stop.clone(),
        };
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        runtime.spawn(async move {
            let _guard = guard;
            driver.run().await;
        });
        Ok(Discv4::of(Parts {
            commands,
            found,
            observed,
            local_addr,
            stop,
            ended,
        }))
    }
}

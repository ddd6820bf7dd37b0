//! Reading lists.

use std::fmt;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, timeout};

use super::machine::{Event, Machine};
use super::reader::Reader;
use super::synced::Read;
use super::{Config, DnsError, Link, Resolver, SyncedTree, Walk};
use crate::mutex::Mutex;
use crate::settings::TooSmall;

/// Reads lists of nodes through a [`Resolver`]. Clones share what they remember, and the rate.
///
/// Nothing is looked up before [`sync`](Self::sync) is called or a [`Walk`] is asked for a node, and then only names of the
/// lists that are asked for and, in a walk, of those that they lead to.
pub struct Client<R> {
    reader: Arc<Reader<R>>,
    random: Arc<Mutex<StdRng>>,
}

/// Settings for a [`Client`].
#[derive(Debug)]
#[must_use]
pub struct ClientBuilder<R> {
    resolver: R,
    config: Config,
    random: StdRng,
}

impl<R: Resolver> ClientBuilder<R> {
    /// Limits and times.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Makes the order in which entries are read the same in each run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = StdRng::seed_from_u64(seed);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`TooSmall`] if a setting is.
    pub fn build(self) -> Result<Client<R>, TooSmall> {
        self.config.check()?;
        let reader = Reader::new(self.resolver, self.config);
        Ok(Client {
            reader: Arc::new(reader),
            random: Arc::new(Mutex::new(self.random)),
        })
    }
}

impl<R: Resolver> Client<R> {
    /// Settings for a client that asks this resolver.
    pub fn builder(resolver: R) -> ClientBuilder<R> {
        ClientBuilder {
            resolver,
            config: Config::default(),
            random: rand::make_rng(),
        }
    }

    /// Reads the whole of one list; links are returned, not followed. This asks for each entry by itself, at the rate
    /// of [`Config::entries_per_second`]: to find a few nodes of a large list, [`walk`](Self::walk).
    ///
    /// What is wrong with single entries, or beyond a limit, is left out and reported in [`SyncedTree::errors`]. To drop the
    /// call loses what was read but for what is remembered.
    ///
    /// # Errors
    /// [`DnsError`] if there is no good root, or it was not found in time.
    pub async fn sync(&self, link: &Link) -> Result<SyncedTree, DnsError> {
        let mut machine = Machine::once(self.reader.config, link.clone(), Instant::now());
        let mut random = self.fork();
        let mut synced = Read::default();
        let limit = self.reader.config.sync_timeout();
        let read = async {
            while let Some(event) = self.reader.event(&mut machine, &mut random).await {
                synced.take(event);
            }
        };
        if timeout(limit, read).await.is_err() {
            let name = link.domain().to_string();
            synced.take(Event::Failed(DnsError::TimeUp { name, limit }));
        }
        synced.complete(machine.root(), link.domain().as_str())
    }

    /// Walks through lists, and those that they lead to, in random order.
    #[must_use]
    pub fn walk(&self, links: impl IntoIterator<Item = Link>) -> Walk<R> {
        let links = links.into_iter().collect();
        let machine = Machine::forever(self.reader.config, links, Instant::now());
        Walk::new(Arc::clone(&self.reader), machine, self.fork())
    }

    fn fork(&self) -> StdRng {
        StdRng::from_rng(&mut *self.random.lock())
    }
}

impl<R> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self {
            reader: Arc::clone(&self.reader),
            random: Arc::clone(&self.random),
        }
    }
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.reader.config)
            .finish_non_exhaustive()
    }
}

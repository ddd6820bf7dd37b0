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

/// Reads lists of nodes through a [`Resolver`].
///
/// Clones share the cache and the rate limit. Nothing is looked up until [`sync`](Self::sync) is
/// called or a [`Walk`] is asked for a node. Then names of the requested lists are looked up, and
/// for a walk also names of the lists to which these lists link.
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
    /// Sets the limits and times.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Seeds the random order of entries, so that each run has the same order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = StdRng::seed_from_u64(seed);
        self
    }

    /// Creates the client.
    ///
    /// # Errors
    /// [`TooSmall`] if a setting is below its minimum.
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
    /// Returns the settings for a client that asks this resolver.
    pub fn builder(resolver: R) -> ClientBuilder<R> {
        ClientBuilder {
            resolver,
            config: Config::default(),
            random: rand::make_rng(),
        }
    }

    /// Reads one whole list.
    ///
    /// Links are returned, not followed. Each entry takes one lookup, at the rate of
    /// [`Config::entries_per_second`]. To find only a few nodes of a large list, use
    /// [`walk`](Self::walk) instead.
    ///
    /// Invalid entries, and entries beyond a limit, are left out and reported in
    /// [`SyncedTree::errors`].
    ///
    /// # Cancel safety
    /// A dropped call loses the entries that it has read, except for cached ones.
    ///
    /// # Errors
    /// [`DnsError`] if there is no valid root, or if the root was not found in time.
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

    /// Walks through lists, and the lists that they link to, in random order.
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

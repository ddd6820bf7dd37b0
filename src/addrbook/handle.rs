//! The handle to a book, and how a book is opened.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot};

use super::buckets::Shape;
use super::draw::DRAWS;
use super::nodes::{Ban, BanTarget, KnownNode, NodeDbConfig};
use super::persistence::{self, FlushError, FlushRequest, Persistence};
use super::rows;
use super::shared::{Shared, State};
use super::store::{RedbStore, Store, StoreError};
use super::{AddError, Added, BookConfig, Clock, Entry, Promotion, Source};
use crate::node::{Enode, NodeId};
use crate::settings::settings;

settings! {
    /// How an [`AddressBook`] behaves.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct AddressBookConfig {
        /// Which addresses are admitted.
        book / with_book: BookConfig = BookConfig::default();
        /// How many nodes are remembered, and when they are banned.
        nodes / with_nodes: NodeDbConfig = NodeDbConfig::default();
        /// How often changes are written; a shorter interval than 1 ms counts as 1 ms.
        ///
        /// A crash loses only the changes since the last write. Default: every 60 s.
        flush_every / with_flush_every: Duration = Duration::from_secs(60),
            |time: Duration| time.max(Duration::from_millis(1));
        /// The seed of all randomness, so that a run can be replayed.
        ///
        /// For tests only: an attacker who knows the seed can choose addresses that displace
        /// others. Default: none, which uses the system's randomness.
        seed / with_seed: Option<u64> => &Option<u64> = None;
    }
}

/// How much an [`AddressBook`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BookSizes {
    /// All addresses.
    pub addresses: usize,
    /// The addresses to which a connection has succeeded.
    pub tried: usize,
    /// Nodes that are banned.
    pub banned_nodes: usize,
    /// IP addresses that are banned.
    pub banned_ips: usize,
}

/// A handle to the addresses to dial and to the records of nodes.
///
/// Clones share the book. All methods except [`open`](Self::open), [`load`](Self::load) and
/// [`flush`](Self::flush) briefly take a lock and wait for nothing else. They take the time from
/// the [`Clock`], and randomness from a generator that the operating system or the configuration
/// seeds.
#[derive(Debug, Clone)]
pub struct AddressBook {
    shared: Arc<Shared>,
    requests: mpsc::Sender<FlushRequest>,
}

impl AddressBook {
    /// Opens the book in a file, or creates one there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the file is damaged. In that case the file has been renamed, and
    /// another call starts with an empty book. The other errors leave the file unchanged:
    /// [`StoreError::Newer`] if a newer version wrote it, [`StoreError::InUse`] if another process
    /// has it open, [`StoreError::Exposed`] if other users can access it, and [`StoreError::Io`].
    pub async fn open(
        path: impl Into<PathBuf>,
        config: AddressBookConfig,
        clock: impl Clock,
    ) -> Result<(Self, Persistence), StoreError> {
        let path = path.into();
        let name = path.clone();
        in_background(name, move || {
            let opened = RedbStore::open(&path).and_then(|store| build(store, config, clock));
            opened.map_err(|error| match error {
                StoreError::Damaged { path, what, .. } => match RedbStore::keep_aside(&path) {
                    Ok(kept) => StoreError::Damaged {
                        path,
                        what,
                        kept: Some(kept),
                    },
                    Err(error) => error,
                },
                error => error,
            })
        })
        .await
    }

    /// Reads the book from any store, or creates one there.
    ///
    /// # Errors
    /// The error of the store; [`StoreError::Newer`] or [`StoreError::Damaged`] if its rows do not
    /// form a book. After an error, the store is dropped.
    pub async fn load(
        store: impl Store,
        config: AddressBookConfig,
        clock: impl Clock,
    ) -> Result<(Self, Persistence), StoreError> {
        let name = store.path().to_owned();
        in_background(name, move || build(store, config, clock)).await
    }

    /// Adds an address that counts as seen now.
    ///
    /// See [`Book::add`](super::Book::add).
    ///
    /// # Errors
    /// [`AddError`] with the reason for the rejection; [`AddError::Banned`] if the node or its IP
    /// address is banned.
    pub fn add(&self, enode: &Enode, source: Source) -> Result<Added, AddError> {
        self.add_seen(enode, source, self.shared.now())
    }

    /// Adds an address that was last seen at the given time.
    ///
    /// See [`Book::add`](super::Book::add).
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_seen(
        &self,
        enode: &Enode,
        source: Source,
        last_seen: SystemTime,
    ) -> Result<Added, AddError> {
        self.with(|state, now| {
            if let Some(ban) = state.ban_of(enode, now) {
                return Err(AddError::Banned {
                    reason: ban.reason.clone(),
                    until: ban.until,
                });
            }
            let State { book, rng, .. } = state;
            book.add(enode, source, last_seen, now, rng)
        })
    }

    /// Draws an address to dial, and marks it as attempted.
    ///
    /// It is the first drawn address that is not banned and that `allowed` accepts. See
    /// [`Book::draw`](super::Book::draw). `allowed` may use this book, because it runs without a
    /// lock. Changes that `allowed` makes apply to the next draw.
    pub fn draw(&self, mut allowed: impl FnMut(&Entry) -> bool) -> Option<Enode> {
        let mut seen = HashSet::new();
        let drawn = (0..DRAWS).find_map(|draw| {
            let entry = self.with(|state, now| state.draw_one(draw, now))?;
            let new = seen.insert(entry.enode().node_id());
            (new && allowed(&entry)).then_some(entry)
        })?;
        let enode = drawn.enode();
        self.attempt(&enode.node_id());
        Some(enode.clone())
    }

    /// Draws up to `most` addresses to dial, without those that are banned.
    ///
    /// They are in the order in which [`draw`](Self::draw) would return them. Report
    /// [`good`](Self::good) or [`failed`](Self::failed) after a dial.
    pub fn candidates(&self, most: usize) -> Vec<Enode> {
        let drawn = self.with(|state, now| state.draw(most, now));
        drawn.iter().map(|entry| entry.enode().clone()).collect()
    }

    /// Returns a tried address to dial as a probe, and marks it as attempted.
    ///
    /// The dial only checks whether the address answers. Report [`good`](Self::good) or
    /// [`failed`](Self::failed) after it. See [`Book::probe`](super::Book::probe).
    pub fn probe(&self) -> Option<Enode> {
        self.with(|state, now| {
            let enode = state.book.probe(now)?;
            state.book.attempt(&enode.node_id(), now);
            Some(enode)
        })
    }

    /// Records the start of a dial to an address that [`draw`](Self::draw) did not return.
    ///
    /// See [`Book::attempt`](super::Book::attempt).
    pub fn attempt(&self, id: &NodeId) -> bool {
        self.with(|state, now| state.book.attempt(id, now))
    }

    /// Records that our handshake has just proved a node at this address.
    ///
    /// See [`Book::good`](super::Book::good).
    ///
    /// # Errors
    /// [`AddError`] if the book does not admit such an address. The node is still recorded as seen.
    pub fn good(&self, enode: &Enode) -> Result<Promotion, AddError> {
        self.with(|state, now| {
            state.nodes.seen(&enode.node_id(), now);
            state.book.good(enode, now)
        })
    }

    /// Records that a dial did not reach the node, or that its handshake failed.
    ///
    /// Returns how many times in a row this has happened. A probed address loses its slot, unless
    /// this node may be offline. See [`Book::failed`](super::Book::failed).
    pub fn failed(&self, id: &NodeId) -> u32 {
        self.with(|state, now| {
            state.book.failed(id, now);
            state.book.probe_failed(id, now);
            state.nodes.failed(id, now)
        })
    }

    /// Records that a node is connected, or was until just now, in either direction.
    ///
    /// See [`Book::connected`](super::Book::connected).
    pub fn connected(&self, id: &NodeId) {
        self.with(|state, now| {
            state.nodes.seen(id, now);
            state.book.connected(id, now);
        });
    }

    /// Records that a dial to any node succeeded.
    ///
    /// See [`Book::dial_succeeded`](super::Book::dial_succeeded).
    pub fn dial_succeeded(&self) {
        self.with(|state, _| state.book.dial_succeeded());
    }

    /// Returns the addresses to share with others, the same ones for 24 hours.
    ///
    /// See [`Book::share`](super::Book::share).
    pub fn share(&self) -> Arc<[Enode]> {
        self.with(|state, now| state.book.share(now, &mut state.rng))
    }

    /// Whether to ask peers for more addresses.
    pub fn need_more(&self) -> bool {
        self.with(|state, _| state.book.need_more())
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.with(|state, _| state.book.len())
    }

    /// How many addresses there are, and how many bans are in force.
    pub fn sizes(&self) -> BookSizes {
        self.with(|state, now| {
            let mut sizes = BookSizes {
                addresses: state.book.len(),
                tried: state.book.tried_len(),
                ..BookSizes::default()
            };
            for (target, _) in state.nodes.bans(now) {
                let count = match target {
                    BanTarget::Node(_) => &mut sizes.banned_nodes,
                    BanTarget::Ip(_) => &mut sizes.banned_ips,
                };
                *count = count.saturating_add(1);
            }
            sizes
        })
    }

    /// Whether there is no address.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of a node's entry.
    pub fn entry(&self, id: &NodeId) -> Option<Entry> {
        self.with(|state, _| state.book.entry(id).cloned())
    }

    /// A copy of a node's record.
    pub fn node(&self, id: &NodeId) -> Option<KnownNode> {
        self.with(|state, _| state.nodes.node(id).cloned())
    }

    /// Removes a node's address, but keeps the node's record.
    pub fn remove(&self, id: &NodeId) -> Option<Enode> {
        self.with(|state, _| state.book.remove(id))
    }

    /// Drops every bad address and every ban that has ended.
    pub fn expire(&self) {
        self.with(|state, now| {
            state.book.expire(now);
            state.nodes.expire(now);
        });
    }

    /// Adds to a node's misbehaviour score, and returns the sum.
    ///
    /// A score above the limit bans the node and removes its address. See
    /// [`NodeDb::penalise`](super::NodeDb::penalise).
    pub fn penalise(&self, id: &NodeId, lasting: u32, fading: u32, reason: &str) -> u32 {
        self.with(|state, now| {
            let score = state.nodes.penalise(id, lasting, fading, reason, now);
            if state.nodes.banned(id, now).is_some() {
                state.book.remove(id);
            }
            score
        })
    }

    /// Bans a node or IP address for the given time, and removes the addresses concerned.
    pub fn ban(&self, target: BanTarget, time: Duration, reason: &str) {
        self.with(|state, now| {
            state.nodes.ban(target, time, reason, now);
            match target {
                BanTarget::Node(id) => {
                    state.book.remove(&id);
                }
                BanTarget::Ip(ip) => {
                    state.book.remove_ip(ip);
                }
            }
        });
    }

    /// Lifts a ban; returns whether there was one.
    pub fn unban(&self, target: BanTarget) -> bool {
        self.with(|state, now| state.nodes.unban(target, now))
    }

    /// The ban of a node, if it is in force.
    ///
    /// Check this before a dial and after a handshake.
    pub fn banned(&self, id: &NodeId) -> Option<Ban> {
        self.with(|state, now| state.nodes.banned(id, now).cloned())
    }

    /// The ban of an IP address, if it is in force.
    ///
    /// Check this when a connection is accepted.
    pub fn banned_ip(&self, ip: IpAddr) -> Option<Ban> {
        self.with(|state, now| state.nodes.banned_ip(ip, now).cloned())
    }

    /// All bans in force.
    pub fn bans(&self) -> Vec<(BanTarget, Ban)> {
        self.with(|state, now| {
            let bans = state.nodes.bans(now);
            bans.map(|(target, ban)| (target, ban.clone())).collect()
        })
    }

    /// All bans in force, with the time left and the reason.
    #[cfg(feature = "server")]
    pub(crate) fn bans_left(&self) -> Vec<(BanTarget, Duration, String)> {
        self.with(|state, now| {
            let left = |ban: &Ban| ban.left(now);
            let bans = state.nodes.bans(now);
            bans.map(|(target, ban)| (target, left(ban), ban.reason.clone()))
                .collect()
        })
    }

    /// Writes to disk all changes that were made before this call.
    ///
    /// # Errors
    /// [`FlushError`] if the store failed, or if the [`Persistence`] is no longer running.
    ///
    /// # Cancel safety
    /// Dropping the call does not stop a write that has begun.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.requests.send(sender).await;
        sent.map_err(|_| FlushError::Stopped)?;
        receiver.await.map_err(|_| FlushError::Stopped)?
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, SystemTime) -> T) -> T {
        self.shared.with(act)
    }
}

fn build(
    mut store: impl Store,
    config: AddressBookConfig,
    clock: impl Clock,
) -> Result<(AddressBook, Persistence), StoreError> {
    let mut rng = config
        .seed
        .map_or_else(rand::make_rng, StdRng::seed_from_u64);
    let rows = store.load()?;
    let (book, nodes) = rows::load(
        &rows,
        config.book(),
        config.nodes(),
        Shape::default(),
        clock.now(),
        &mut rng,
    )
    .map_err(|bad| persistence::bad_rows(bad, store.path()))?;
    persistence::begin(&mut store, &rows::meta_rows(&book), rows.is_empty())?;
    let shared = Arc::new(Shared::new(clock, State { book, nodes, rng }));
    let (sender, receiver) = mpsc::channel(persistence::WAITING);
    let book = AddressBook {
        shared: Arc::clone(&shared),
        requests: sender,
    };
    let persistence = Persistence {
        shared,
        store: Box::new(store),
        requests: receiver,
        every: config.flush_every(),
    };
    Ok((book, persistence))
}

/// Runs blocking work away from the runtime's threads.
async fn in_background<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Io {
        path,
        doing: "open",
        source: std::io::Error::other(error),
    })?
}

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::StreamExt;
use peermux::Bytes;
use peermux::comm::{
    Comm, Demux, IdentityError, PeerId, ReceivedMessage, RemotePeer, Subscription,
    SubscriptionConfig,
};
use rand::RngExt;
use tokio::sync::watch;
use tokio::task::consume_budget;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use super::Config;
use super::message::{DATA, DIGEST, Gossiped, MAX_ANSWERS, MessageId, REQUEST, Signed};
use super::store::Store;
use crate::mutex::Mutex;

/// Maximum content sent for one Request in bytes. The first message is sent whatever its size.
const MAX_ANSWERED: usize = 4 << 20;

/// A message that arrived at this node or was published by it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GossipMessage {
    /// The id, with the author.
    pub id: MessageId,
    /// The content.
    pub content: Bytes,
}

/// Why publishing a message failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GossipError {
    /// The message is too large.
    #[error("a message of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// The size of the message in bytes.
        size: usize,
        /// The size limit in bytes.
        limit: usize,
    },
    /// The message could not be signed.
    #[error(transparent)]
    Signing(#[from] IdentityError),
}

/// Counters of a node's gossip; a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GossipStats {
    /// Rounds since the start.
    pub rounds: u64,
    /// Digests sent.
    pub digests: u64,
    /// Requests sent.
    pub requests: u64,
    /// Messages sent, with their content.
    pub data: u64,
    /// Messages that arrived and were new.
    pub fresh: u64,
    /// Messages that arrived and were already known, too old, or too far in the future.
    pub stale: u64,
    /// Peers that broke the protocol.
    pub broken: u64,
    /// Messages kept at present.
    pub kept: usize,
    /// The memory of the kept messages in bytes.
    pub kept_bytes: usize,
}

#[derive(Debug, Default)]
struct Counters {
    rounds: AtomicU64,
    digests: AtomicU64,
    requests: AtomicU64,
    data: AtomicU64,
    fresh: AtomicU64,
    stale: AtomicU64,
    broken: AtomicU64,
}

/// A node's gossip.
///
/// Cheap to clone. Gossip ends when the last clone is dropped, or when its [`Comm`] stops.
#[derive(Clone)]
pub struct Gossip {
    shared: Arc<Shared>,
    _last: watch::Sender<()>,
}

struct Shared {
    comm: Comm,
    config: Config,
    store: Mutex<Store>,
    peers: Mutex<Vec<RemotePeer>>,
    feed: Demux<GossipMessage>,
    counters: Counters,
    sequence: AtomicU64,
}

impl Gossip {
    /// Starts gossip in a task of the current tokio runtime, without peers.
    #[must_use]
    pub fn start(comm: Comm, config: Config) -> Self {
        let inbox = comm.accept(|message| {
            let tag = message.envelope().tag;
            matches!(tag, DIGEST | REQUEST | DATA)
        });
        let shared = Arc::new(Shared {
            comm,
            config,
            store: Mutex::new(Store::new(config)),
            peers: Mutex::default(),
            feed: Demux::new(),
            counters: Counters::default(),
            // The first number is random, because a node that restarts with its old identity must
            // not reuse a number.
            sequence: AtomicU64::new(rand::rng().random::<u64>() >> 1),
        });
        let (last, ended) = watch::channel(());
        tokio::spawn(run(Arc::clone(&shared), inbox, ended));
        Self {
            shared,
            _last: last,
        }
    }

    /// Replaces the set of peers.
    pub fn set_peers(&self, mut peers: Vec<RemotePeer>) {
        let own = self.shared.comm.id();
        peers.retain(|peer| peer.id() != Some(own));
        *self.shared.peers.lock() = peers;
    }

    /// Publishes a message, which spreads from the next round on.
    ///
    /// This node's own subscriptions receive it too.
    ///
    /// # Errors
    /// [`GossipError`] if the message is too large or cannot be signed. The message is not spread
    /// in that case.
    pub async fn publish(&self, content: impl Into<Bytes>) -> Result<MessageId, GossipError> {
        let (content, shared) = (content.into(), &self.shared);
        let (size, limit) = (content.len(), shared.config.max_content);
        if size > limit {
            return Err(GossipError::TooLarge { size, limit });
        }
        let sequence = shared.sequence.fetch_add(1, Relaxed);
        let now = shared.comm.unix_time();
        let mut message = Signed {
            identity: shared.comm.identity(),
            sequence,
            written: Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
            content: content.clone(),
            signature: Bytes::new(),
        };
        message.signature = shared.comm.sign(message.envelope())?.signature;
        let own = shared.comm.id();
        let id = MessageId::new(own, sequence);
        shared.store.lock().insert(own, id, message, now);
        shared
            .feed
            .publish_from(own, &GossipMessage { id, content }, size)
            .await;
        Ok(id)
    }

    /// Subscribes to all messages from now on.
    ///
    /// A subscriber that is too slow loses the newest messages.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<GossipMessage> {
        self.shared
            .feed
            .subscribe(SubscriptionConfig::default(), |_| true)
    }

    /// Returns a snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> GossipStats {
        let counters = &self.shared.counters;
        let (kept, kept_bytes) = {
            let store = self.shared.store.lock();
            (store.len(), store.bytes())
        };
        GossipStats {
            rounds: counters.rounds.load(Relaxed),
            digests: counters.digests.load(Relaxed),
            requests: counters.requests.load(Relaxed),
            data: counters.data.load(Relaxed),
            fresh: counters.fresh.load(Relaxed),
            stale: counters.stale.load(Relaxed),
            broken: counters.broken.load(Relaxed),
            kept,
            kept_bytes,
        }
    }
}

async fn run(
    shared: Arc<Shared>,
    mut inbox: Subscription<ReceivedMessage>,
    mut ended: watch::Receiver<()>,
) {
    let mut rounds = interval(shared.config.interval);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // A flood of messages must leave time for other tasks.
        consume_budget().await;
        tokio::select! {
            // Check the end first and a due round second, because messages may arrive without a
            // pause.
            biased;
            _ = ended.changed() => break,
            _ = rounds.tick() => shared.round(),
            received = inbox.next() => match received {
                Some(received) => shared.receive(&received).await,
                None => break,
            },
        }
    }
    shared.feed.close();
}

impl Shared {
    /// Announces new messages to some peers and requests the Digest of one other.
    fn round(&self) {
        let (hot, digest) = {
            let mut store = self.store.lock();
            store.expire(self.comm.unix_time(), Instant::now());
            (store.take_hot(), store.digest())
        };
        self.counters.rounds.fetch_add(1, Relaxed);
        let some = self.some_peers(self.config.fanout.saturating_add(1));
        let Some((asked, told)) = some.split_first() else {
            return;
        };
        if !hot.is_empty() {
            let news = Gossiped::Digest {
                pull: false,
                ids: hot,
            };
            self.send(&news, told);
        }
        let question = Gossiped::Digest {
            pull: true,
            ids: digest,
        };
        self.send(&question, std::slice::from_ref(asked));
    }

    fn send(&self, message: &Gossiped, peers: &[RemotePeer]) {
        let envelope = message.encode();
        for peer in peers {
            self.count(message);
            if !self.is_lost() {
                // The outcome does not matter, because a message that is lost here is recovered in
                // a later round.
                drop(self.comm.send(&envelope, std::slice::from_ref(peer)));
            }
        }
    }

    /// Sends an answer if the queue of answers has room. If not, the peer repeats its request in a
    /// later round.
    fn answer(&self, received: &ReceivedMessage, message: &Gossiped) {
        if self.is_lost() {
            return;
        }
        match received.try_respond(&message.encode()) {
            Ok(_) => self.count(message),
            Err(error) => debug!(%error, "gossip not answered"),
        }
    }

    fn count(&self, message: &Gossiped) {
        let counter = match message {
            Gossiped::Digest { .. } => &self.counters.digests,
            Gossiped::Request(_) => &self.counters.requests,
            Gossiped::Data(_) => &self.counters.data,
        };
        counter.fetch_add(1, Relaxed);
    }

    #[cfg(test)]
    fn is_lost(&self) -> bool {
        rand::rng().random_bool(self.config.loss)
    }

    #[cfg(not(test))]
    fn is_lost(&self) -> bool {
        false
    }

    async fn receive(&self, received: &ReceivedMessage) {
        match Gossiped::decode(received.envelope()) {
            Some(Gossiped::Digest { pull, ids }) => self.compare(received, pull, &ids),
            Some(Gossiped::Request(ids)) => self.supply(received, &ids).await,
            Some(Gossiped::Data(message)) => self.take_in(received.sender().id, &message).await,
            None => self.broken(received.sender().id, "the message is malformed"),
        }
    }

    /// Requests the messages of a Digest that this node lacks. Answers with a Digest if `pull` is
    /// set.
    fn compare(&self, received: &ReceivedMessage, pull: bool, ids: &[MessageId]) {
        // Without room for an answer no Request can be sent, so nothing may be recorded as
        // requested.
        if !received.has_room(0) {
            return;
        }
        let sender = received.sender().id;
        let missing = self.store.lock().missing(sender, ids, Instant::now());
        if !missing.is_empty() {
            self.answer(received, &Gossiped::Request(missing));
        }
        if pull && received.has_room(0) {
            let ids = self.store.lock().digest();
            self.answer(received, &Gossiped::Digest { pull: false, ids });
        }
    }

    /// Answers a Request. Sends each message once, and no more messages than comm queues for one
    /// peer.
    async fn supply(&self, received: &ReceivedMessage, ids: &[MessageId]) {
        let (mut named, now) = (HashSet::new(), self.comm.unix_time());
        let (mut answers, mut bytes) = (0_usize, 0_usize);
        for id in ids.iter().filter(|id| named.insert(**id)) {
            // One peer's Request must leave time for other tasks.
            consume_budget().await;
            let Some(message) = self.store.lock().get(id, now).cloned() else {
                continue;
            };
            bytes = bytes.saturating_add(message.content.len());
            answers = answers.saturating_add(1);
            let too_much = answers > MAX_ANSWERS || (answers > 1 && bytes > MAX_ANSWERED);
            if too_much || !received.has_room(message.content.len()) {
                return;
            }
            self.answer(received, &Gossiped::Data(message));
        }
    }

    async fn take_in(&self, sender: PeerId, message: &Signed) {
        if message.content.len() > self.config.max_content {
            return self.broken(sender, "the message is too large");
        }
        let now = self.comm.unix_time();
        // Check the time before the signature, which is the most expensive check.
        if !self.store.lock().is_current(message.written, now) {
            self.counters.stale.fetch_add(1, Relaxed);
            return;
        }
        let signed = message.envelope();
        let Ok(author) = self.comm.verify(&message.identity, &signed).await else {
            return self.broken(sender, "the author did not sign it");
        };
        let id = MessageId::new(author, message.sequence);
        let message = message.detached();
        let content = message.content.clone();
        if !self.store.lock().insert(sender, id, message, now) {
            self.counters.stale.fetch_add(1, Relaxed);
            return;
        }
        self.counters.fresh.fetch_add(1, Relaxed);
        let size = content.len();
        self.feed
            .publish_from(sender, &GossipMessage { id, content }, size)
            .await;
    }

    fn broken(&self, id: PeerId, rule: &str) {
        debug!(%id, rule, "gossip peer breaks a rule");
        self.counters.broken.fetch_add(1, Relaxed);
        self.comm.close_conn(&id);
    }

    /// Returns up to `count` distinct random peers.
    fn some_peers(&self, count: usize) -> Vec<RemotePeer> {
        let (peers, mut rng) = (self.peers.lock(), rand::rng());
        let mut left: Vec<_> = (0..peers.len()).collect();
        let mut some = Vec::new();
        while some.len() < count && !left.is_empty() {
            let index = left.swap_remove(rng.random_range(0..left.len()));
            some.extend(peers.get(index).cloned());
        }
        some
    }
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gossip")
            .field("id", &self.shared.comm.id())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

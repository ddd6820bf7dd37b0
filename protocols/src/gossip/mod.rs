//! Gossip spreads a message to every node of a network.
//!
//! Each node communicates with only a few others.
//!
//! Gossip uses messages of [`peermux::comm`] with tags of its own. All integers are unsigned, all
//! payloads RLP.
//!
//! | tag | name | payload | meaning |
//! |---|---|---|---|
//! | 0x676f0201 | Digest | `[pull, [id, …]]` | the sender has these messages; with `pull` = 1 the receiver answers with its own Digest, with `pull` = 0 |
//! | 0x676f0202 | Request | `[id, …]` | the receiver answers with a Data for each of these messages that it has, while its queue of answers has room |
//! | 0x676f0203 | Data | `[identity, sequence, written, content, signature]` | one message |
//!
//! This is version 2, which is the third byte of the tags. An id has 40 bytes: the author's id, and
//! `sequence` as 8 big-endian bytes. `written` is the time of writing by the author's clock, in
//! milliseconds since 1970. A message is spread until its age reaches the expiry. After that it is
//! no longer accepted. A message is not accepted either if `written` is further in the future than
//! the clock tolerance.
//!
//! `signature` is the author's signature of a [comm message](peermux::comm::Envelope::signed_bytes)
//! with `sequence` as its nonce and the tag of Data. The payload of this comm message is `written`
//! as 8 big-endian bytes, then `content`. An identity has at most 16 KiB, a signature at most 4
//! KiB, a Digest or a Request at most 1024 ids. A node closes the connection to a peer that sends a
//! malformed message, or a message that its author did not sign.
//!
//! In each round a node announces its new messages to `fanout` random peers, and requests the
//! Digest of one other random peer. A message is new for a few rounds. A node requests a missing
//! message at most once per round. So each content is sent about once to each node, and a lost
//! message is recovered a few rounds later.
//!
//! # Limits
//!
//! A node keeps a limited number of messages and bytes. If there is no room for a new message, the
//! node evicts a message from the peer that has delivered the most. Among that peer's messages, it
//! takes the author with the most, and evicts this author's oldest message. So a peer that floods
//! evicts its own messages first. The same rule applies to two sets of ids. The ids of evicted
//! messages are remembered so that these messages are not accepted again. The ids of requested
//! messages are remembered for a few rounds.
//!
//! One Request is answered with at most 64 messages and 4 MiB, each message once, and only while
//! the queue of answers has room. The rest can be requested in the next round.
//!
//! ```no_run
//! use futures::StreamExt;
//! use peermux::comm::{Comm, RemotePeer};
//! use peermux_protocols::gossip::{Config, Gossip};
//!
//! # async fn example(comm: Comm, others: Vec<RemotePeer>) -> Result<(), Box<dyn std::error::Error>> {
//! let gossip = Gossip::start(comm, Config::default());
//! gossip.set_peers(others);
//! let mut news = gossip.subscribe();
//! gossip.publish("the king is dead").await?;
//! while let Some(message) = news.next().await {
//!     println!("{}: {:?}", message.id.author, message.content);
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod held;
mod message;
mod run;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use message::MessageId;
pub use run::{Gossip, GossipError, GossipMessage, GossipStats};

/// The settings of a [`Gossip`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    interval: Duration,
    fanout: usize,
    hot_rounds: u32,
    expiry: Duration,
    clock_tolerance: Duration,
    max_messages: usize,
    max_bytes: usize,
    max_content: usize,
    /// The share of messages to drop on purpose.
    #[cfg(test)]
    loss: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(200),
            fanout: 3,
            hot_rounds: 3,
            expiry: Duration::from_secs(60),
            clock_tolerance: Duration::from_secs(10),
            max_messages: 4096,
            max_bytes: 64 << 20,
            max_content: 1 << 20,
            #[cfg(test)]
            loss: 0.0,
        }
    }
}

impl Config {
    /// Sets the interval between rounds.
    ///
    /// Default: 200 ms.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how many peers receive the new ids in each round.
    ///
    /// Default: 3.
    #[must_use]
    pub fn with_fanout(mut self, peers: usize) -> Self {
        self.fanout = peers;
        self
    }

    /// Sets for how many rounds a message is new.
    ///
    /// Default: 3.
    #[must_use]
    pub fn with_hot_rounds(mut self, rounds: u32) -> Self {
        self.hot_rounds = rounds;
        self
    }

    /// Sets the age at which messages are forgotten.
    ///
    /// The age is the receiver's time minus the author's time of writing. Default: 60 s.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Sets how far an author's clock may be ahead of this node's.
    ///
    /// Messages from further in the future are not accepted. Default: 10 s, since machines with
    /// network time differ by much less.
    #[must_use]
    pub fn with_clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.clock_tolerance = tolerance;
        self
    }

    /// Sets the maximum number of messages kept.
    ///
    /// Default: 4096.
    #[must_use]
    pub fn with_max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages.max(1);
        self
    }

    /// Sets the maximum number of bytes kept.
    ///
    /// Identities, signatures and the store's overhead count towards it. Default: 64 MiB.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the maximum content of a message in bytes.
    ///
    /// Default: 1 MiB.
    #[must_use]
    pub fn with_max_content(mut self, bytes: usize) -> Self {
        self.max_content = bytes;
        self
    }
}

//! Gossip: a message reaches every node of a network, although each node talks to few others.
//!
//! It rests on [`peermux::comm`], whose messages carry it; they are told apart by their tag. All
//! integers are unsigned, all payloads RLP.
//!
//! | tag | name | payload | meaning |
//! |---|---|---|---|
//! | 0x676f0001 | Digest | `[pull, [id, …]]` | the sender has these messages; with `pull` = 1 the receiver answers with a Digest of its own, with `pull` = 0 |
//! | 0x676f0002 | Request | `[id, …]` | the receiver answers each one that it has with a Data |
//! | 0x676f0003 | Data | `[identity, sequence, age, content, signature]` | one message |
//!
//! An id is 40 bytes: the author's id, and `sequence` as 8 big-endian bytes. `age` is in
//! milliseconds; a message is passed on until it is as old as the expiry, and not accepted after.
//! `signature` is the author's, of a [comm message](peermux::comm::Envelope::signed_bytes) with
//! `sequence` for its nonce, the tag of Data, and `content`. At most 1024 ids are in one Digest or
//! Request. Whoever breaks the form, or passes on what its author did not sign, loses its
//! connection.
//!
//! In each round a node tells `fanout` random peers which messages are new to it, for a few rounds
//! each, and asks one random peer what else there is. A node that misses something requests it
//! once in each round. So contents travel about once to each node, and what is lost on the way is
//! found a few rounds later.
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
    max_messages: usize,
    max_bytes: usize,
    max_content: usize,
    /// The share of messages that get lost on purpose.
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
            max_messages: 4096,
            max_bytes: 64 << 20,
            max_content: 1 << 20,
            #[cfg(test)]
            loss: 0.0,
        }
    }
}

impl Config {
    /// Sets the time from one round to the next. Default: 200 ms.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how many peers are told of what is new in each round. Default: 3.
    #[must_use]
    pub fn with_fanout(mut self, peers: usize) -> Self {
        self.fanout = peers;
        self
    }

    /// Sets for how many rounds a message is new. Default: 3.
    #[must_use]
    pub fn with_hot_rounds(mut self, rounds: u32) -> Self {
        self.hot_rounds = rounds;
        self
    }

    /// Sets the age at which messages are forgotten. Default: 60 s.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Sets how many messages are kept at once; the oldest make room. Default: 4096.
    #[must_use]
    pub fn with_max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages.max(1);
        self
    }

    /// Sets how many bytes of content are kept at once, likewise. Default: 64 MiB.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many bytes a message may have. Default: 1 MiB.
    #[must_use]
    pub fn with_max_content(mut self, bytes: usize) -> Self {
        self.max_content = bytes;
        self
    }
}

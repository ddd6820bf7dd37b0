//! Gossip: a message reaches every node of a network, although each node talks to few others.
//!
//! It rests on [`peermux::comm`], whose messages carry it; they are told apart by their tag. All
//! integers are unsigned, all payloads RLP.
//!
//! | tag | name | payload | meaning |
//! |---|---|---|---|
//! | 0x676f0201 | Digest | `[pull, [id, …]]` | the sender has these messages; with `pull` = 1 the receiver answers with a Digest of its own, with `pull` = 0 |
//! | 0x676f0202 | Request | `[id, …]` | the receiver answers with a Data for each one that it has, as far as it has room |
//! | 0x676f0203 | Data | `[identity, sequence, written, content, signature]` | one message |
//!
//! This is version 2, which the third byte of the tags says. An id is 40 bytes: the author's id, and `sequence` as 8 big-endian bytes.
//! `written` is the time of writing by the author's clock, in milliseconds since 1970. A message is
//! passed on until it is as old as the expiry. After that it is not accepted, nor is one that was
//! written more than the clocks' tolerance in the future.
//!
//! `signature` is the author's, of a [comm message](peermux::comm::Envelope::signed_bytes) with
//! `sequence` for its nonce and the tag of Data. Its payload is `written` as 8 big-endian bytes,
//! and `content`. An identity has at most 16 KiB, a signature at most 4 KiB, a Digest or a Request
//! at most 1024 ids. A peer that breaks the form, or passes on what the author did not sign, loses
//! its connection.
//!
//! In each round a node tells `fanout` random peers which messages are new to it, for a few rounds
//! each, and asks one random peer what else there is. A node that misses something requests it
//! once in each round. So contents travel about once to each node, and what is lost on the way is
//! found a few rounds later.
//!
//! # Limits
//!
//! A node keeps a limited number of messages and of bytes. When there is no room for a new one, the
//! oldest message gives way of the peer that has brought the most; of that peer's messages, one of
//! the author with the most. The same holds for the ids of forgotten messages, which are remembered
//! so that they do not come back, and for the ids that were requested. So a peer that floods crowds
//! out its own messages first.
//!
//! One Request is answered with at most 64 messages and 4 MiB, each message once, and only as long
//! as the queue of answers has room. The rest can be requested again in the next round.
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

    /// Sets the age at which messages are forgotten, by the clocks of author and receiver.
    /// Default: 60 s.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Sets how far an author's clock may be ahead of this node's. Messages from further in the
    /// future are not accepted. Default: 10 s, since machines that set their clocks over the network
    /// differ by much less.
    #[must_use]
    pub fn with_clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.clock_tolerance = tolerance;
        self
    }

    /// Sets how many messages are kept at once. Default: 4096.
    #[must_use]
    pub fn with_max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages.max(1);
        self
    }

    /// Sets how many bytes are kept at once, identities, signatures and the store's own among them.
    /// Default: 64 MiB.
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

//! `bench/1` measures throughput and round trips, in both directions at once.
//!
//! All integers are unsigned, all payloads RLP.
//!
//! | code | name | payload | meaning |
//! |---|---|---|---|
//! | 0x00 | Data | byte string, any size | the receiver counts one message and the string's bytes; it answers nothing |
//! | 0x01 | Ask | `[count, size]` | the receiver streams `count` Data of `size` incompressible random bytes each, then one Done |
//! | 0x02 | Done | `[count, bytes]` | ends an Ask: how many Data were sent and the sum of their string bytes |
//! | 0x03 | Echo | byte string | the receiver answers Echoed with the same string |
//! | 0x04 | Echoed | byte string | |
//! | 0x05 | Flush | empty list | the receiver answers Stats, then resets its counters |
//! | 0x06 | Stats | `[messages, bytes]` | Data received since the last Flush |
//! | 0x07 | – | | reserved |
//!
//! These break the protocol: a malformed payload, code 0x07, an Ask or Echo above the receiver's
//! limit, and a Done, Stats or Echoed without a request. The peer is then disconnected with
//! [`BREACH_OF_PROTOCOL`](peermux::DisconnectReason::BREACH_OF_PROTOCOL).
//!
//! Both sides serve and measure at the same time. Asks are answered in order. A side continues to
//! read while it streams, so both can ask for any amount at once. Data that answers an Ask does not
//! count towards the Stats of the side that asked. This implementation therefore never mixes Data
//! that answers an Ask with Data of its own measurements. It sends either its own Data and their
//! Flush first, or the answer to the Ask with its Done.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use peermux_protocols::bench::{Bench, Config};
//!
//! let (ours, theirs) = (Bench::new(Config::default()), Bench::new(Config::default()));
//! let connected = peermux::testing::connect(
//!     peermux::Protocol::new(ours.clone()),
//!     peermux::Protocol::new(theirs),
//! )
//! .await?;
//! let client = ours.client(&connected.left).await?;
//! let measured = client.source(100, 1024).await?;
//! println!("{:.1} MB/s", measured.megabytes_per_second());
//! # Ok(())
//! # }
//! ```

mod connection;
mod drive;
mod filler;
mod message;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use drive::{Client, Measured};
pub use message::BenchMessage;
pub use run::Bench;

/// The settings of a [`Bench`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    max_count: u64,
    max_size: usize,
    max_size_for_strangers: usize,
    answer_timeout: Duration,
}

impl Config {
    /// Maximum size of a message: 16 MiB − 1 KiB.
    ///
    /// The margin is for incompressible data, which compression makes slightly larger.
    pub const MAX_SIZE: usize = (16 << 20) - (1 << 10);

    /// Sets the maximum number of messages in one Ask.
    ///
    /// Default: 2^32.
    #[must_use]
    pub fn with_max_count(mut self, messages: u64) -> Self {
        self.max_count = messages;
        self
    }

    /// Sets the maximum size in bytes of a message that a remote asks for.
    ///
    /// The node uses this much memory for each remote that asks. Default and maximum:
    /// [`MAX_SIZE`](Self::MAX_SIZE).
    #[must_use]
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes.min(Self::MAX_SIZE);
        self
    }

    /// Sets the maximum size in bytes of a message for a stranger.
    ///
    /// A stranger is a peer whose address is not a loopback address. A stranger that sends an Ask
    /// or Echo above the limit is disconnected. Default: 64 KiB, so that a stranger's tiny request
    /// costs this node little.
    #[must_use]
    pub fn with_max_size_for_strangers(mut self, bytes: usize) -> Self {
        self.max_size_for_strangers = bytes;
        self
    }

    /// Sets how long the client waits for an answer while no Data arrive.
    ///
    /// One second is added for each 64 KiB of a message. Default: 30 s.
    #[must_use]
    pub fn with_answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_count: 1 << 32,
            max_size: Self::MAX_SIZE,
            max_size_for_strangers: 64 << 10,
            answer_timeout: Duration::from_secs(30),
        }
    }
}

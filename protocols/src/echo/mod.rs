//! `echo/1` returns each request's bytes.
//!
//! | code | name | payload | meaning |
//! |---|---|---|---|
//! | 0x00 | Request | byte string | the receiver answers Response with the same bytes |
//! | 0x01 | Response | byte string | the answer to the oldest open Request |
//!
//! Requests are answered in order. After a Response without a Request or a malformed payload, the
//! peer is disconnected with [`BREACH_OF_PROTOCOL`](peermux::DisconnectReason::BREACH_OF_PROTOCOL).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use peermux_protocols::echo::{Config, Echo};
//!
//! let (ours, theirs) = (Echo::new(Config::default()), Echo::new(Config::default()));
//! let connected = peermux::testing::connect(
//!     peermux::Protocol::new(ours.clone()),
//!     peermux::Protocol::new(theirs),
//! )
//! .await?;
//! let took = ours.client(&connected.left).await?.round_trip("hello").await?;
//! println!("{took:?}");
//! # Ok(())
//! # }
//! ```

mod message;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use message::EchoMessage;
pub use run::{Client, Echo};

/// The settings of an [`Echo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    max_size: usize,
    max_size_for_strangers: usize,
    answer_timeout: Duration,
}

impl Config {
    /// Maximum size of a request: 16 MiB − 1 KiB.
    ///
    /// The margin is for incompressible data, which grows slightly.
    pub const MAX_SIZE: usize = (16 << 20) - (1 << 10);

    /// Sets the maximum size of a request in bytes, in both directions.
    ///
    /// A peer that sends a larger request is disconnected. Default and maximum:
    /// [`MAX_SIZE`](Self::MAX_SIZE).
    #[must_use]
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes.min(Self::MAX_SIZE);
        self
    }

    /// Sets the maximum size in bytes of a stranger's request.
    ///
    /// A stranger is a peer whose address is not a loopback address. A stranger that sends a larger
    /// request is disconnected. Default: 64 KiB, so that a tiny compressed request costs little.
    #[must_use]
    pub fn with_max_size_for_strangers(mut self, bytes: usize) -> Self {
        self.max_size_for_strangers = bytes;
        self
    }

    /// Sets how long the client waits for a response.
    ///
    /// Default: 30 s.
    #[must_use]
    pub fn with_answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_size: Self::MAX_SIZE,
            max_size_for_strangers: 64 << 10,
            answer_timeout: Duration::from_secs(30),
        }
    }
}

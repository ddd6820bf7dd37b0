//! `chat/2`: lines of text go to all peers, and to theirs.
//!
//! | code | name | payload | meaning |
//! |---|---|---|---|
//! | 0x00 | Name | string of 1 to 64 bytes | the first message of each side, sent once |
//! | 0x01 | Line | `[nonce, name, text]`: a random number, a string as in Name, a string of 1 to 4096 bytes | something that the sender says or passes on |
//! | 0x02 | History | `[[nonce, name, text], …]`, 1 to 256 lines, oldest first | what was said before; may follow Name, once |
//!
//! Strings are UTF-8. Each node passes a line that is new to it on to all its peers but the one that
//! it came from, so that those hear each other who are connected through others. Lines with the same
//! nonce, name and text are one line; the last 4096 are remembered. A History is not passed on, though
//! its lines are remembered. Lines that take one way keep their order; on another way one may overtake.
//! Who is behind a name is not proven, least of all when others pass it on. Another order or length
//! breaks the protocol, and the peer ends with
//! [`BREACH_OF_PROTOCOL`](peermux::DisconnectReason::BREACH_OF_PROTOCOL). Texts come as they were
//! sent; whoever prints them to a terminal has to take control characters out.
//!
//! Two policies for the slow: a peer that has not taken a line, or one that is passed on, within the
//! [patience](Config::with_patience) is disconnected, and an application that does not take its
//! [`Events`] holds its chat connections up, until their peers end as stalled.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use peermux_protocols::chat::{Chat, Config, Event};
//!
//! let (ann, _) = Chat::new(Config::new("Ann")?);
//! let (ben, mut events) = Chat::new(Config::new("Ben")?);
//! let _connected =
//!     peermux::testing::connect(peermux::Protocol::new(ann.clone()), peermux::Protocol::new(ben))
//!         .await?;
//! if let Some(Event::Joined { name, .. }) = events.next().await {
//!     println!("{name} is here");
//! }
//! ann.say("hello").await?;
//! if let Some(Event::Said { line, .. }) = events.next().await {
//!     println!("{}: {}", line.name, line.text);
//! }
//! # Ok(())
//! # }
//! ```

mod message;
mod room;
mod run;
mod seen;
#[cfg(test)]
mod tests;

use std::time::Duration;

use peermux::NodeId;

pub use message::{ChatMessage, History, Line, Spoken};
pub use run::{Chat, Events};

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;
/// The longest line, in bytes.
pub const MAX_LINE: usize = 4096;
/// The most lines in one History.
pub const MAX_HISTORY: usize = 256;

/// The settings of a [`Chat`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    name: String,
    history: usize,
    patience: Duration,
}

/// A name or a line that is empty or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {got} bytes: 1 to {limit} are allowed")]
#[non_exhaustive]
pub struct LengthError {
    /// What has the wrong length.
    pub what: &'static str,
    /// Its length in bytes.
    pub got: usize,
    /// The limit in bytes.
    pub limit: usize,
}

impl Config {
    /// The settings of a participant with this name.
    ///
    /// # Errors
    /// [`LengthError`] for an empty name and for one over [`MAX_NAME`].
    pub fn new(name: impl Into<String>) -> Result<Self, LengthError> {
        let name = name.into();
        check("a name", &name, MAX_NAME)?;
        Ok(Self {
            name,
            history: 100,
            patience: Duration::from_secs(2),
        })
    }

    /// Sets how many lines are kept for peers that come later. Default: 100; at most
    /// [`MAX_HISTORY`].
    #[must_use]
    pub fn with_history(mut self, lines: usize) -> Self {
        self.history = lines.min(MAX_HISTORY);
        self
    }

    /// Sets how long [`Chat::say`], or a line that is passed on, waits at most for peers whose queues are full; those that are
    /// still full then are disconnected. Default: 2 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

pub(crate) fn check(what: &'static str, text: &str, limit: usize) -> Result<(), LengthError> {
    match text.len() {
        got if got == 0 || got > limit => Err(LengthError { what, got, limit }),
        _ => Ok(()),
    }
}

/// Something that happened in the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer told its name.
    Joined {
        /// The peer.
        peer: NodeId,
        /// Its name, which others may have too.
        name: String,
    },
    /// A peer told what was said before.
    History {
        /// The peer.
        peer: NodeId,
        /// The lines that were not heard before, oldest first; at least one.
        lines: Vec<Line>,
    },
    /// Somebody said something.
    Said {
        /// The peer that it came from first: the speaker, or one that passes it on.
        peer: NodeId,
        /// The speaker's name and what was said.
        line: Line,
    },
    /// A peer that had joined is gone.
    Left {
        /// The peer.
        peer: NodeId,
        /// Its name.
        name: String,
    },
}

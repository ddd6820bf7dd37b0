//! `chat/2` sends lines of text to all peers, which pass them on.
//!
//! | code | name | payload | meaning |
//! |---|---|---|---|
//! | 0x00 | Name | string of 1 to 64 bytes | the first message of each side, sent once |
//! | 0x01 | Line | `[nonce, name, text]`: a random number, a string as in Name, a string of 1 to 4096 bytes | something that the sender says or passes on |
//! | 0x02 | History | `[[nonce, name, text], …]`, 1 to 256 lines, oldest first | what was said before; may follow Name, once |
//!
//! Strings are UTF-8. A node passes each new line on to all its peers except the one that sent it,
//! so the line also reaches nodes that are connected only through others. Lines with the same
//! nonce, name and text count as one line; the last 4096 are remembered. The lines of a History are
//! remembered but not passed on. Lines that travel through the same nodes keep their order; a line
//! on another path may overtake them. Names are not verified: neither a peer's own name nor the
//! names in lines that the peer passes on. If a message is out of order or its length is not
//! allowed, the peer is disconnected with
//! [`BREACH_OF_PROTOCOL`](peermux::DisconnectReason::BREACH_OF_PROTOCOL). Texts are returned as
//! sent: remove control characters before you print them to a terminal.
//!
//! A peer that does not accept a line within the [patience](Config::with_patience) is disconnected.
//! An application that does not read its [`Events`] stalls its chat connections, which eventually
//! end as stalled.
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

/// Maximum length of a name in bytes.
pub const MAX_NAME: usize = 64;
/// Maximum length of a line in bytes.
pub const MAX_LINE: usize = 4096;
/// Maximum number of lines in one History.
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
    /// The name of the value whose length is wrong.
    pub what: &'static str,
    /// The length of the value in bytes.
    pub got: usize,
    /// The limit in bytes.
    pub limit: usize,
}

impl Config {
    /// Returns the default settings of a participant with this name.
    ///
    /// # Errors
    /// [`LengthError`] if the name is empty or longer than [`MAX_NAME`].
    pub fn new(name: impl Into<String>) -> Result<Self, LengthError> {
        let name = name.into();
        check("a name", &name, MAX_NAME)?;
        Ok(Self {
            name,
            history: 100,
            patience: Duration::from_secs(2),
        })
    }

    /// Sets how many lines are kept for peers that join later.
    ///
    /// Default: 100; at most [`MAX_HISTORY`].
    #[must_use]
    pub fn with_history(mut self, lines: usize) -> Self {
        self.history = lines.min(MAX_HISTORY);
        self
    }

    /// Sets how long sending a line waits for peers with full queues.
    ///
    /// This applies to [`Chat::say`] and to lines that are passed on. Peers whose queues are full
    /// for longer are disconnected. Default: 2 s.
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

/// An event in the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer sent its name.
    Joined {
        /// The peer.
        peer: NodeId,
        /// The peer's name; not necessarily unique.
        name: String,
    },
    /// A peer sent earlier lines.
    History {
        /// The peer.
        peer: NodeId,
        /// The lines that this node did not know, oldest first; at least one.
        lines: Vec<Line>,
    },
    /// A new line arrived.
    Said {
        /// The peer that delivered the line first; not necessarily the speaker.
        peer: NodeId,
        /// The line.
        line: Line,
    },
    /// A joined peer has left.
    Left {
        /// The peer.
        peer: NodeId,
        /// The peer's name.
        name: String,
    },
}

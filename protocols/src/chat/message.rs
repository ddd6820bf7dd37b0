use peermux::{RlpValue, messages};

messages! {
    /// The messages of `chat/2`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ChatMessage, length = 3 {
        /// The sender's name.
        0x00 => Name(String),
        /// A line that the sender says or passes on.
        0x01 => Line(Spoken),
        /// Earlier lines.
        0x02 => History(History),
    }
}

/// Earlier lines, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, RlpValue)]
#[rlp(transparent)]
pub struct History(#[rlp(max = super::MAX_HISTORY)] pub Vec<Spoken>);

/// A line as it is sent.
///
/// A node may receive the same line more than once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, RlpValue)]
pub struct Spoken {
    /// A random number that distinguishes two lines with the same text.
    pub nonce: u64,
    /// The speaker's name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A line and its speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The speaker's name as sent; it is not verified.
    pub name: String,
    /// The text.
    pub text: String,
}

impl From<Spoken> for Line {
    fn from(spoken: Spoken) -> Self {
        Self {
            name: spoken.name,
            text: spoken.text,
        }
    }
}

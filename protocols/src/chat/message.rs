use peermux::{RlpValue, messages};

messages! {
    /// The messages of `chat/2`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ChatMessage, length = 3 {
        /// Who the sender is.
        0x00 => Name(String),
        /// What it, or somebody that it hears, says.
        0x01 => Line(Spoken),
        /// What was said before.
        0x02 => History(History),
    }
}

/// Lines that were said before, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, RlpValue)]
#[rlp(transparent)]
pub struct History(#[rlp(max = super::MAX_HISTORY)] pub Vec<Spoken>);

/// A line on its way, which may lead to a node several times.
#[derive(Debug, Clone, PartialEq, Eq, Hash, RlpValue)]
pub struct Spoken {
    /// A random number, which tells two lines with one text apart.
    pub nonce: u64,
    /// The speaker's name.
    pub name: String,
    /// What was said.
    pub text: String,
}

/// A line, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The speaker's name, as the line says: nothing proves it.
    pub name: String,
    /// What was said.
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

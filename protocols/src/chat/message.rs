use peermux::messages;
use peermux::rlp::{Decodable, DecoderError, Encodable, Rlp, RlpStream};

messages! {
    /// The messages of `chat/1`.
    pub enum ChatMessage, length = 3 {
        /// Who the sender is.
        0x00 => Name(String),
        /// What it says.
        0x01 => Line(String),
        /// What was said before.
        0x02 => History(History),
    }
}

/// Lines that were said before, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(pub Vec<Line>);

/// A line, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The speaker's name.
    pub name: String,
    /// What was said.
    pub text: String,
}

impl Encodable for History {
    fn rlp_append(&self, stream: &mut RlpStream) {
        stream.append_list(&self.0);
    }
}

impl Decodable for History {
    fn decode(rlp: &Rlp<'_>) -> Result<Self, DecoderError> {
        match rlp.item_count()? {
            1..=super::MAX_HISTORY => rlp.as_list().map(Self),
            _ => Err(DecoderError::Custom("a history has 1 to 256 lines")),
        }
    }
}

impl Encodable for Line {
    fn rlp_append(&self, stream: &mut RlpStream) {
        stream.begin_list(2).append(&self.name).append(&self.text);
    }
}

impl Decodable for Line {
    fn decode(rlp: &Rlp<'_>) -> Result<Self, DecoderError> {
        if rlp.item_count()? != 2 {
            return Err(DecoderError::RlpIncorrectListLen);
        }
        Ok(Self {
            name: rlp.val_at(0)?,
            text: rlp.val_at(1)?,
        })
    }
}

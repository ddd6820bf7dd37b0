//! The entries below a list's root.

use std::fmt;
use std::str::FromStr;

use super::{EntryError, EntryHash, Link, MAX_TEXT};
use crate::node::{NodeRecord, excerpt};

const BRANCH: &str = "enrtree-branch:";
const NODE: &str = "enr:";

/// An entry of a list, below its [`Root`](super::Root).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `enrtree-branch:` and the hashes of further entries, separated by commas; there may be no
    /// hashes.
    Branch(Vec<EntryHash>),
    /// A node in the tree of nodes, written as the text of its record.
    Node(NodeRecord),
    /// Another list in the tree of links, written as the text of its link.
    Link(Link),
}

impl Entry {
    /// Whether a text begins like an entry, even if the rest is invalid.
    pub(super) fn is_text(text: &str) -> bool {
        Link::is_text(text) || text.starts_with(BRANCH) || text.starts_with(NODE)
    }
}

/// Parses a text of at most [`MAX_TEXT`] bytes; a node's record is verified.
impl FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        if text.len() > MAX_TEXT {
            return Err(EntryError::too_long(text));
        }
        if Link::is_text(text) {
            return text.parse().map(Self::Link);
        }
        if text.starts_with(NODE) {
            return text.parse().map(Self::Node).map_err(EntryError::Record);
        }
        match text.strip_prefix(BRANCH) {
            Some("") => Ok(Self::Branch(Vec::new())),
            Some(hashes) => hashes
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map(Self::Branch),
            None => Err(EntryError::Unknown {
                found: excerpt(text),
            }),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(record) => record.fmt(f),
            Self::Link(link) => link.fmt(f),
            Self::Branch(hashes) => {
                f.write_str(BRANCH)?;
                for (position, hash) in hashes.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma}{hash}")?;
                }
                Ok(())
            }
        }
    }
}

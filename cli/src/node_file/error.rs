//! What is wrong with a file of nodes.

use std::error::Error;
use std::fmt;
use std::io;

use peermux::NodeId;

use crate::form;

/// Why a file of nodes is not read. No message repeats a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeFileError {
    /// The system refused.
    Io(io::Error),
    /// It is too large.
    TooLarge {
        /// The most bytes that a file may have.
        limit: u64,
    },
    /// An entry is wrong.
    Entry {
        /// On which line, from 1.
        line: u64,
        /// What is wrong with it.
        why: WrongEntry,
    },
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrongEntry {
    /// Its line is too long.
    TooLong {
        /// The most bytes that a line may have.
        limit: usize,
    },
    /// It is not the JSON that is needed: in one sentence.
    Json(String),
    /// It is neither an enode URL nor a record: in one sentence.
    Node(String),
    /// It is under another node's id.
    OtherId {
        /// That id.
        got: NodeId,
        /// Whose enode URL or record it has.
        of: NodeId,
    },
}

impl WrongEntry {
    /// What a parser says, without the line, which is counted otherwise here.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        let text = form::sentence(error);
        let place = format!(" at line {} column {}", error.line(), error.column());
        Self::Json(match text.strip_suffix(&place) {
            Some(text) => format!("{text}, in column {}", error.column()),
            None => text,
        })
    }
}

impl fmt::Display for NodeFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLarge { limit } => write!(f, "it has more than {limit} bytes"),
            Self::Entry { line, why } => write!(f, "line {line}: {why}"),
        }
    }
}

impl fmt::Display for WrongEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => write!(f, "it has more than {limit} bytes"),
            Self::Json(why) => write!(f, "not an entry of a file of nodes: {why}"),
            Self::Node(why) => write!(f, "not a node: {why}"),
            Self::OtherId { got, of } => write!(f, "under the id {got} is the node {of}"),
        }
    }
}

impl Error for NodeFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Entry { why, .. } => Some(why),
            Self::TooLarge { .. } => None,
        }
    }
}

impl Error for WrongEntry {}

impl From<io::Error> for NodeFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

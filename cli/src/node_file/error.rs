//! Errors in a file of nodes.

use std::error::Error;
use std::fmt;
use std::io;

use peermux::NodeId;

use crate::form;

/// The reason why a file of nodes is rejected.
///
/// The text form of this error repeats no keys.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeFileError {
    /// The system failed to read the file.
    Io(io::Error),
    /// The file is too large.
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// An entry is wrong.
    Entry {
        /// The line of the entry, from 1.
        line: u64,
        /// The error.
        why: WrongEntry,
    },
}

/// An error in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrongEntry {
    /// The line of the entry is too long.
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The entry is not the expected JSON, for this reason.
    Json(String),
    /// The entry is neither an enode URL nor a record, for this reason.
    Node(String),
    /// The entry has the id of another node.
    OtherId {
        /// The id in the entry.
        got: NodeId,
        /// The id of the node in the entry's enode URL or record.
        of: NodeId,
    },
}

impl WrongEntry {
    /// Returns a parser's error without the line, because the parser counts lines from another
    /// place.
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
            Self::OtherId { got, of } => write!(f, "the id {got} is not that of the node {of}"),
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

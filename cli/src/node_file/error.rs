//! Errors in a file of nodes.

use std::error::Error;
use std::fmt;
use std::io;

use peermux::NodeId;

use crate::form;

/// The reason why a file of nodes is rejected.
///
/// No text of it repeats a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeFileError {
    /// The system failed to read it.
    Io(io::Error),
    /// The file is too large.
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// An entry is wrong.
    Entry {
        /// Its line, from 1.
        line: u64,
        /// The error.
        why: WrongEntry,
    },
}

/// An error in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrongEntry {
    /// Its line is too long.
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It is not the expected JSON, for this reason.
    Json(String),
    /// It is neither an enode URL nor a record, for this reason.
    Node(String),
    /// It has the id of another node.
    OtherId {
        /// The id.
        got: NodeId,
        /// The node of its enode URL or record.
        of: NodeId,
    },
}

impl WrongEntry {
    /// Returns the error of a parser without its line, which counts from another place.
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

//! Input lines and questions.

use peermux::NodeId;
use peermux_cli::request::{Change, LONGEST};

/// An input line at the bottom of the view.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) purpose: Purpose,
    pub(crate) text: String,
}

/// The purpose of an input line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    /// A filter, which applies while it is typed. The value is the previous filter.
    Filter(String),
    /// The node to keep connected.
    Add,
    /// The duration and the reason of a ban.
    Ban(NodeId),
}

/// A question, with the change that is made if the answer is yes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) change: Change,
}

impl Input {
    pub(super) fn new(purpose: Purpose, text: &str) -> Self {
        let text = text.to_owned();
        Self { purpose, text }
    }

    /// Returns the text in front of the input line.
    pub(crate) fn prompt(&self) -> String {
        match &self.purpose {
            Purpose::Filter(_) => "filter: ".to_owned(),
            Purpose::Add => "keep connected (enode URL or record): ".to_owned(),
            Purpose::Ban(id) => format!("ban {} for (time, reason): ", super::keys::short(id)),
        }
    }

    /// Adds a character, unless the line is too long for a request.
    pub(super) fn push(&mut self, char: char) {
        if !char.is_control() && self.text.len() < LONGEST {
            self.text.push(char);
        }
    }
}

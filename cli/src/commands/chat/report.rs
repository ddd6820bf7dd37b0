//! The events of the chat, for people and for programs.

use std::fmt;

use peermux::NodeId;
use peermux_protocols::chat::Event;
use serde::Serialize;

#[cfg(unix)]
use super::commands::Present;
use crate::failure::Failure;
use crate::output::{Output, printable};

/// An event of the chat.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Report {
    Joined {
        node_id: NodeId,
        name: String,
    },
    Line {
        node_id: NodeId,
        name: String,
        text: String,
    },
    History {
        node_id: NodeId,
        name: String,
        text: String,
    },
    Left {
        node_id: NodeId,
        name: String,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { name, .. } => write!(f, "* {} is here", printable(name)),
            Self::Line { name, text, .. } => write!(f, "{}: {}", printable(name), printable(text)),
            Self::History { name, text, .. } => {
                write!(f, "(earlier) {}: {}", printable(name), printable(text))
            }
            Self::Left { name, .. } => write!(f, "* {} is gone", printable(name)),
        }
    }
}

/// Prints the events of the chat, and keeps the list of connected peers.
#[derive(Debug)]
pub(super) struct Hearer<'a> {
    pub(super) out: &'a Output,
    #[cfg(unix)]
    pub(super) present: Present,
}

impl<'a> Hearer<'a> {
    pub(super) fn new(out: &'a Output) -> Self {
        Self {
            out,
            #[cfg(unix)]
            present: Present::default(),
        }
    }

    pub(super) fn report(&self, event: Event) -> Result<(), Failure> {
        #[cfg(unix)]
        self.present.note(&event);
        tell(event, self.out)
    }
}

fn tell(event: Event, out: &Output) -> Result<(), Failure> {
    match event {
        Event::Joined { peer, name } => out.tell(&Report::Joined {
            node_id: peer,
            name,
        }),
        Event::Left { peer, name } => out.tell(&Report::Left {
            node_id: peer,
            name,
        }),
        Event::Said { peer, line } => out.tell(&Report::Line {
            node_id: peer,
            name: line.name,
            text: line.text,
        }),
        Event::History { peer, lines } => lines.into_iter().try_for_each(|line| {
            out.tell(&Report::History {
                node_id: peer,
                name: line.name,
                text: line.text,
            })
        }),
        _ => Ok(()),
    }
}

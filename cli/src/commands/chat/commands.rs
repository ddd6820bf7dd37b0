//! Parses the commands that are typed in the chat.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peermux::NodeId;
use peermux_protocols::chat::Event;

use crate::output::{SHORT_ID, printable};

pub(super) const HELP: &str = "\
/peers    lists the peers, with the beginning of each node id
/quit     ends the chat, as Ctrl-D and Ctrl-C do
/help     shows this list
//...     sends a line that begins with one slash";

/// A typed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Say(&'a str),
    Help,
    Peers,
    Quit,
    /// A command that does not exist, with this name.
    Unknown(&'a str),
}

impl<'a> Command<'a> {
    /// Parses a line; `None` if it is empty.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let Some(command) = line.strip_prefix('/') else {
            return Some(Self::Say(line)).filter(|_| !line.is_empty());
        };
        if command.starts_with('/') {
            return Some(Self::Say(command));
        }
        Some(match command.trim_end() {
            "help" => Self::Help,
            "peers" => Self::Peers,
            "quit" => Self::Quit,
            _ => Self::Unknown(line.split_whitespace().next().unwrap_or(line)),
        })
    }
}

/// The names of the connected peers, as the events of the chat report them.
#[derive(Debug, Default)]
pub(super) struct Present(Mutex<BTreeMap<NodeId, String>>);

impl Present {
    pub(super) fn note(&self, event: &Event) {
        match event {
            Event::Joined { peer, name } => {
                self.lock().insert(*peer, name.clone());
            }
            Event::Left { peer, .. } => {
                self.lock().remove(peer);
            }
            _ => {}
        }
    }

    /// Lists the peers for people, one on each line.
    pub(super) fn list(&self) -> String {
        let there = self.lock();
        if there.is_empty() {
            return "nobody is connected".to_owned();
        }
        let line = |(id, name): (&NodeId, &String)| {
            let id: String = id.to_string().chars().take(SHORT_ID).collect();
            format!("  {} ({id})", printable(name))
        };
        let lines: Vec<_> = there.iter().map(line).collect();
        format!("{} connected:\n{}", lines.len(), lines.join("\n"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use peermux::SecretKey;

    use super::*;

    #[test]
    fn a_slash_begins_a_command_and_two_a_line() {
        let parse = Command::parse;
        assert_eq!(parse("hello / there"), Some(Command::Say("hello / there")));
        assert_eq!(parse(" /quit"), Some(Command::Say(" /quit")));
        assert_eq!(parse("//quit"), Some(Command::Say("/quit")));
        assert_eq!(parse("//"), Some(Command::Say("/")));
        assert_eq!(parse("/quit"), Some(Command::Quit));
        assert_eq!(parse("/peers "), Some(Command::Peers));
        assert_eq!(parse("/help"), Some(Command::Help));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_is_no_command_is_named_and_not_said() {
        for (line, word) in [
            ("/", "/"),
            ("/Quit", "/Quit"),
            ("/quit now", "/quit"),
            ("/etc/hosts is a file", "/etc/hosts"),
        ] {
            assert_eq!(Command::parse(line), Some(Command::Unknown(word)), "{line}");
        }
    }

    #[test]
    fn who_has_left_is_not_listed() {
        let present = Present::default();
        assert_eq!(present.list(), "nobody is connected");
        let peer = SecretKey::generate().public_key().node_id();
        let other = SecretKey::generate().public_key().node_id();
        for (peer, name) in [(peer, "Ann\u{1b}"), (other, "Ben")] {
            let name = name.to_owned();
            present.note(&Event::Joined { peer, name });
        }
        let name = "Ben".to_owned();
        present.note(&Event::Left { peer: other, name });
        let id = &peer.to_string()[..SHORT_ID];
        let wanted = format!("1 connected:\n  Ann\u{fffd} ({id})");
        assert_eq!(present.list(), wanted);
    }
}

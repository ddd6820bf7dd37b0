use std::collections::{HashMap, VecDeque};

use peermux::{NodeId, Peer, ProtocolSender, TrySendError};

use super::seen::Seen;
use super::{ChatMessage, History, Spoken};
use crate::mutex::Mutex;

/// The members of the chat and the latest lines.
#[derive(Debug)]
pub(super) struct Room {
    name: String,
    keep: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    members: HashMap<NodeId, Member>,
    history: VecDeque<Spoken>,
    seen: Seen,
}

/// A peer that receives lines.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) peer: Peer,
    pub(super) sender: ProtocolSender<ChatMessage>,
}

impl Room {
    pub(super) fn new(name: String, keep: usize) -> Self {
        let state = Mutex::default();
        Self { name, keep, state }
    }

    /// Greets a peer and adds it to the members, under one lock. So the peer receives each line
    /// once: in the History, or as a Line.
    pub(super) fn enter(&self, member: Member) -> Result<Inside<'_>, TrySendError> {
        let mut state = self.state.lock();
        let sender = &member.sender;
        sender.try_send(&ChatMessage::Name(self.name.clone()))?;
        if !state.history.is_empty() {
            let lines = state.history.iter().cloned().collect();
            sender.try_send(&ChatMessage::History(History(lines)))?;
        }
        let peer = member.peer.clone();
        state.members.insert(peer.id(), member);
        Ok(Inside { room: self, peer })
    }

    /// Records a line of this node and returns the members to send the line to.
    pub(super) fn say(&self, text: &str) -> (Spoken, Vec<Member>) {
        let line = Spoken {
            nonce: rand::random(),
            name: self.name.clone(),
            text: text.to_owned(),
        };
        let mut state = self.state.lock();
        state.seen.is_new(&line);
        self.keep(&mut state, &line);
        (line, state.members.values().cloned().collect())
    }

    /// Records a line from a peer and returns the other members. Returns `None` if the line is
    /// known.
    pub(super) fn heard(&self, from: NodeId, line: &Spoken) -> Option<Vec<Member>> {
        let mut state = self.state.lock();
        if !state.seen.is_new(line) {
            return None;
        }
        self.keep(&mut state, line);
        let others = state.members.values();
        let others = others.filter(|member| member.peer.id() != from);
        Some(others.cloned().collect())
    }

    /// Returns the lines of a peer's History that are new here, and remembers them.
    pub(super) fn new_to_us(&self, lines: Vec<Spoken>) -> Vec<Spoken> {
        let mut state = self.state.lock();
        lines
            .into_iter()
            .filter(|line| state.seen.is_new(line))
            .collect()
    }

    fn keep(&self, state: &mut State, line: &Spoken) {
        state.history.push_back(line.clone());
        while state.history.len() > self.keep {
            state.history.pop_front();
        }
    }
}

/// A peer's membership, which ends when this is dropped.
pub(super) struct Inside<'a> {
    room: &'a Room,
    peer: Peer,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.room.state.lock();
        let id = self.peer.id();
        let same = |member: &Member| member.peer.channel_binding() == self.peer.channel_binding();
        // If the node has reconnected, the entry belongs to the new connection.
        if state.members.get(&id).is_some_and(same) {
            state.members.remove(&id);
        }
    }
}

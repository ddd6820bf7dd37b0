//! The book in memory, with its clock.

use std::collections::HashSet;
use std::sync::MutexGuard;
use std::time::SystemTime;

use rand::rngs::StdRng;

use super::draw::DRAWS;
use super::nodes::{Ban, NodeDb};
use super::rows::{self, Pending};
use super::store::Change;
use super::{Book, Clock, Entry};
use crate::mutex::Mutex;
use crate::node::{Enode, Host};

/// The state that the handles and the writer share.
pub(super) struct Shared {
    clock: Box<dyn Clock>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) book: Book,
    pub(super) nodes: NodeDb,
    pub(super) rng: StdRng,
}

impl Shared {
    pub(super) fn new(clock: impl Clock, state: State) -> Self {
        Self {
            clock: Box::new(clock),
            state: Mutex::new(state),
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, SystemTime) -> T) -> T {
        // The clock is user code, so it is not called under the lock.
        let now = self.now();
        act(&mut self.lock(), now)
    }

    /// Takes all rows that the store does not hold yet.
    pub(super) fn take_pending(&self) -> Pending {
        let State { book, nodes, .. } = &mut *self.lock();
        Pending::take(book, nodes)
    }

    /// Takes the next rows of `pending`.
    pub(super) fn next_changes(&self, pending: &mut Pending, most: usize) -> Vec<Change> {
        let State { book, nodes, .. } = &mut *self.lock();
        pending.next(book, nodes, most)
    }

    /// Marks rows that could not be written, so that they are taken again.
    pub(super) fn put_back(&self, changes: &[Change], pending: Pending) {
        let State { book, nodes, .. } = &mut *self.lock();
        rows::put_back(book, nodes, changes);
        pending.put_back(book, nodes);
    }

    /// Locks the state. No user code runs under this lock, so a panic in user code leaves no change
    /// half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("AddressBook")
            .field("addresses", &state.book.len())
            .field("nodes", &state.nodes.len())
            .finish()
    }
}

impl State {
    /// Draws up to `most` addresses, without duplicates and without banned ones.
    pub(super) fn draw(&mut self, most: usize, now: SystemTime) -> Vec<Entry> {
        let Self { book, nodes, rng } = self;
        let drawer = book.drawer();
        let mut seen = HashSet::new();
        let drawn = (0..DRAWS).filter_map(|draw| drawer.rested(draw, now, rng));
        let fits = |entry: &&Entry| {
            seen.insert(entry.enode().node_id()) && ban_of(nodes, entry.enode(), now).is_none()
        };
        drawn.filter(fits).take(most).cloned().collect()
    }

    /// Makes the draw with this number. Returns `None` if it yields no address or a banned one.
    pub(super) fn draw_one(&mut self, draw: u32, now: SystemTime) -> Option<Entry> {
        let Self { book, nodes, rng } = self;
        let entry = book.drawer().rested(draw, now, rng)?;
        let banned = ban_of(nodes, entry.enode(), now).is_some();
        (!banned).then(|| entry.clone())
    }

    pub(super) fn ban_of(&self, enode: &Enode, now: SystemTime) -> Option<&Ban> {
        ban_of(&self.nodes, enode, now)
    }
}

fn ban_of<'a>(nodes: &'a NodeDb, enode: &Enode, now: SystemTime) -> Option<&'a Ban> {
    let by_ip = || match &enode.endpoint()?.host {
        Host::Ip(ip) => nodes.banned_ip(*ip, now),
        Host::Dns(_) => None,
    };
    nodes.banned(&enode.node_id(), now).or_else(by_ip)
}

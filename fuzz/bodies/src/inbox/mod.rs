//! Inboxes of a few peers with their memory budgets, compared with a plain model.
//!
//! The input is a script of actions by read loops, handlers and peers. After each step all woken
//! tasks continue. The charge then equals the held memory, and no task waits while there is room.

mod peer;

use peermux::channel::fuzzing::Entry;
use peermux::channel::{MemoryLimits, NodeBudget};

use super::input::Input;
use peer::Peer;

const PEERS: usize = 3;
/// The memory that a peer holds without charging the node, as documented.
const FREE_PER_PEER: usize = 32 << 10;
/// The cost of a message in addition to its payload, in bytes.
const MESSAGE_COST: usize = 64;
const PER_PEER: usize = MemoryLimits::MIN;
/// The node's budget, which is less than two peers may hold together.
const PER_NODE: usize = 48 << 20;

/// Runs a script with at most six bytes per step.
pub fn inbox(data: &[u8]) {
    let mut input = Input::new(data);
    let limits = MemoryLimits::default().with_per_node(PER_NODE);
    let node = NodeBudget::new(limits).expect("enough");
    let mut world = World {
        peers: (0..PEERS).map(|_| Peer::new(&node, input.byte())).collect(),
        node,
    };
    while !input.is_empty() {
        world.step(&mut input);
        world.settle();
        world.check();
    }
    let World { node, peers } = world;
    drop(peers);
    assert_eq!(node.used(), 0, "memory was not released");
}

struct World {
    node: NodeBudget,
    peers: Vec<Peer>,
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        let (choice, whom) = (input.byte(), input.byte());
        let index = usize::from(whom) % PEERS;
        let which = usize::from(whom >> 4 & 1);
        let used = self.used();
        let peer = &mut self.peers[index];
        match choice % 16 {
            0..4 => peer.push(which, input, used),
            4 => peer.give_up(which, input, used),
            5 | 6 => peer.wait_to_push(which, input),
            7 => peer.stop_waiting(),
            8..11 => peer.take(which),
            11 | 12 => peer.drop_held(which, input.byte()),
            13 => peer.seal(input),
            14 => peer.close(which, whom >= 0x80),
            _ => match whom >> 5 {
                0..4 => peer.shrink(which),
                4 | 5 => peer.drop_reader(which),
                _ => peer.end(),
            },
        }
    }

    /// Returns what all peers hold beyond their free parts.
    fn used(&self) -> usize {
        self.peers.iter().map(Peer::beyond_free).sum()
    }

    /// Continues woken tasks until none is left.
    fn settle(&mut self) {
        let mut go_on = true;
        while go_on {
            go_on = (0..PEERS).any(|index| self.advance(index));
        }
    }

    /// Continues a peer's read loop. Returns whether it was woken.
    fn advance(&mut self, index: usize) -> bool {
        let used = self.used();
        let evicted: Vec<_> = self.peers.iter().map(Peer::is_evicted).collect();
        let lived: Vec<_> = self.peers.iter().map(Peer::is_living).collect();
        let going = self.peers.iter().any(Peer::is_going);
        let Some(wants) = self.peers[index].advance(used) else {
            return false;
        };
        let share = PER_NODE / PEERS;
        let living = (0..PEERS).filter(|&peer| lived[peer]);
        let largest = living.map(|peer| self.peers[peer].beyond_free()).max();
        let to_blame = largest.filter(|&held| held > share && wants == Entry::OverNode && !going);
        let fresh: Vec<_> = (0..PEERS)
            .filter(|&peer| self.peers[peer].is_evicted() && !evicted[peer])
            .map(|peer| self.peers[peer].beyond_free())
            .collect();
        // Peers are evicted one at a time, the largest first.
        assert_eq!(fresh, to_blame.into_iter().collect::<Vec<_>>());
        true
    }

    fn check(&self) {
        let used = self.used();
        assert_eq!(
            self.node.used(),
            used,
            "the node does not count what peers hold"
        );
        for peer in &self.peers {
            peer.check(used);
        }
    }
}

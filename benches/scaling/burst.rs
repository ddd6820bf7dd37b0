//! Checks that messages of 1 MiB leave no memory allocated.

use crate::cost::Memory;
use crate::goals::Goals;
use crate::roles;

const PEERS: usize = 10;
const MESSAGES: usize = 200;
const SIZE: usize = 1 << 20;

/// The memory that a peer's buffers may keep after the burst, in KiB.
const LEFT: f64 = 1.0;

pub(crate) fn measure(_quick: bool, _open_files: u64, goals: &mut Goals) {
    let mut node = roles::node("lend");
    let _crowd = roles::crowd(&node, PEERS);
    node.ask(&format!("peers {PEERS}"));
    // Send small messages first, because they allocate what every connection keeps.
    node.ask("send 1000 256");
    let before = Memory::settled(&mut node);
    node.ask(&format!("send {MESSAGES} {SIZE}"));
    let during = Memory::of(&mut node);
    let after = Memory::settled(&mut node);
    let [allocated, resident] = [
        [&before, &during, &after].map(|memory| memory.allocated),
        [&before, &during, &after].map(|memory| memory.resident),
    ];
    goals.add(
        format!("memory: after {MESSAGES} messages of 1 MiB to {PEERS} peers and one back from each, live bytes are as before, up to 1 KiB a peer"),
        format!("{allocated:.1?} KiB before, right after, once idle; resident {resident:.0?} KiB"),
        after.allocated <= before.allocated + LEFT * PEERS as f64,
    );
}

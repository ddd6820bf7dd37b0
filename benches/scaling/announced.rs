//! Peers that announce a message of 16 MiB each, and then send nothing.

use crate::goals::Goals;
use crate::roles;
use crate::{machine, process};

const PEERS: usize = 1000;
const GOAL_MIB: f64 = 100.0;

pub(crate) fn measure(quick: bool, open_files: u64, goals: &mut Goals) {
    // A peer needs 40 ms for each header, because it seals the whole frame. So the last header
    // arrives long after the first.
    let peers = if quick { PEERS / 10 } else { PEERS };
    if let Some(why) = process::obstacle(peers, open_files) {
        eprintln!("{why}");
        return;
    }
    let mut node = roles::node("patient");
    let mut crowd = roles::crowd(&node, peers);
    node.ask(&format!("peers {peers}"));
    let (resident, live) = (machine::resident_kib(node.id()), node.ask("live")[0]);
    crowd.ask(&format!("announce {peers}"));
    node.ask("settle 1");
    let resident = (machine::resident_kib(node.id()) - resident) / 1024.0;
    let live = (node.ask("live")[0] - live) / 1024.0 / 1024.0;
    goals.add(
        format!("memory: {peers} peers that announce 16 MiB each and send nothing cost less than 100 MiB"),
        format!("{resident:.1} MiB resident, {live:.1} MiB allocated"),
        resident < GOAL_MIB * peers as f64 / PEERS as f64,
    );
}

//! The memory of idle peers.

use std::time::Duration;

use crate::crowd::Crowd;
use crate::figures::{Figures, Section, Unit};
use crate::kind::{Kind, Served};
use crate::options::Options;

const PEERS: usize = 100;

/// How long to wait before measuring. A silent connection of ours releases its buffers after 5 s.
const SETTLE: Duration = Duration::from_secs(7);

/// Measures new nodes of each kind. All nodes settle at the same time.
pub(crate) fn measure(options: &Options, kinds: &[Kind], figures: &mut Figures) {
    let wanted = |kind: &Kind| options.wants(&format!("idle/{PEERS}/{}", kind.id()));
    let kinds: Vec<_> = kinds.iter().copied().filter(wanted).collect();
    if kinds.is_empty() {
        return;
    }
    for repetition in 1..=options.repetitions() {
        eprintln!("{repetition} memory of {PEERS} idle peers");
        let scenes: Vec<_> = kinds.iter().filter_map(|kind| scene(*kind)).collect();
        let Some((_, _, _, any)) = scenes.first() else {
            return;
        };
        any.wait(SETTLE);
        for (kind, node, before, _crowd) in &scenes {
            if let Some(after) = node.process.resident_kib() {
                let each = (after - before) / PEERS as f64;
                let row = format!("{PEERS} peers, each");
                figures.add(Section::Idle, row, Unit::Kibibytes, kind.name(), each);
            }
        }
    }
}

/// Starts a node with its peers. Returns the node's memory with only the first peer, which loads
/// the code and tables that all peers share.
fn scene(kind: Kind) -> Option<(Kind, Served, f64, Crowd)> {
    let node = kind.serve();
    let mut crowd = Crowd::of(&node);
    let connected = crowd.grow(1).and_then(|()| {
        let before = node.process.resident_kib();
        crowd.grow(1 + PEERS)?;
        Ok(before)
    });
    match connected {
        Ok(before) => before.map(|before| (kind, node, before, crowd)),
        Err(why) => {
            eprintln!("{} with {PEERS} peers is left out: {why}", kind.name());
            None
        }
    }
}

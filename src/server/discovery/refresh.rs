//! Keeps the table of Discovery v5 full, and this node in the tables of others.
//!
//! Lookups continue whether or not the node dials.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use rand::Rng;
use tokio::time::sleep;
use tracing::debug;

use crate::discv5::Discv5;
use crate::node::NodeId;
use crate::time::doubled;

/// The pause after the first lookup; each further pause is twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// The maximum pause between two lookups.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Looks up nodes until discovery ends.
///
/// Lookups alternate between random targets and the node's own neighbours, which thereby learn
/// about the node.
pub(super) async fn run(v5: Option<Discv5>, own: NodeId) -> Infallible {
    let Some(v5) = v5 else {
        return pending().await;
    };
    for lookup in 0_u32.. {
        let target = if lookup % 2 == 0 { own } else { random() };
        if let Err(error) = v5.lookup(&target).await {
            debug!(%error, "stopped refreshing the table of Discovery v5");
            break;
        }
        sleep(pause(lookup)).await;
    }
    pending().await
}

fn random() -> NodeId {
    let mut bytes = [0; NodeId::LENGTH];
    rand::rng().fill_bytes(&mut bytes);
    NodeId::from_bytes(bytes)
}

/// The pause after a lookup.
fn pause(lookup: u32) -> Duration {
    doubled(FIRST, lookup).min(EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_node_looks_up_often() {
        let seconds = [0, 1, 2, 9, 10, u32::MAX].map(|lookup| pause(lookup).as_secs());
        assert_eq!(seconds, [1, 2, 4, 512, 600, 600]);
    }
}

//! Nodes that publish their fork identifier, and dial only nodes of their chain.

#![allow(
    clippy::expect_used,
    reason = "a test fails if a server does not start"
)]

use std::time::Duration;

use tokio::time::timeout;

use peermux::server::Discovery;
use peermux::{NodeRecord, SecretKey, Server, StartError};
use peermux_protocols::eth::{self, Chain, Eth, ForkId};

async fn start(eth: &Eth, bootnodes: Vec<NodeRecord>) -> Result<Server, StartError> {
    let ours = eth.clone();
    let fits = move |record: &NodeRecord| {
        let Chain { forks, head, .. } = ours.chain();
        let theirs = ForkId::of_record(record);
        theirs.is_some_and(|id| forks.check(head.number, head.time, id).is_ok())
    };
    eth.register(Server::builder(SecretKey::generate()))
        // Other nodes apply the same filter to this entry.
        .record_entry(eth::NAME, &eth.chain().fork_id().record_entry())
        .listen(([127, 0, 0, 1], 0).into())
        .discovery(Discovery::new().with_bootnodes(bootnodes).with_filter(fits))
        .start()
        .await
}

/// Long enough for everything that happens on one machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Returns a node at block 0 of a chain that will fork at block 5.
fn node_of(genesis: &[u8]) -> Eth {
    let genesis = eth::Hash::of(genesis);
    let chain = Chain {
        network: 7,
        forks: eth::ForkFilter::new(genesis).with_blocks([5]),
        head: eth::Head::genesis(genesis, 0),
    };
    Eth::builder(chain).build().0
}

#[test]
fn the_guide_shows_the_function_of_this_test() {
    let guide = include_str!("../../docs/discovery.md");
    let shown = guide.split("```rust,ignore\n").nth(1);
    let shown = shown.and_then(|rest| rest.split("```").next());
    let shown = shown.expect("a function in the guide");
    assert!(include_str!("fork_ids.rs").contains(shown), "{shown}");
}

#[tokio::test]
async fn another_node_reads_the_fork_id_from_the_record_and_a_changed_one_too() {
    let eth = node_of(b"genesis");
    let server = start(&eth, vec![]).await.expect("free ports");
    let read = || {
        // Others get the record as text or as bytes, never as a value.
        let record: NodeRecord = server.record().to_string().parse().expect("a record");
        ForkId::of_record(&record)
    };
    let before = eth.chain().fork_id();
    assert_eq!(read(), Some(before));
    let number = 5;
    eth.set_head(eth::Head {
        number,
        ..eth.chain().head
    });
    let after = eth.chain().fork_id();
    let set = server.set_record_entry(eth::NAME, &after.record_entry());
    set.expect("a short record");
    assert_eq!(read(), Some(after));
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_node_dials_only_nodes_whose_fork_id_fits_its_chain() {
    let other = start(&node_of(b"another"), vec![]).await;
    let other = other.expect("free ports");
    let bootnodes = || vec![other.record()];
    let [ann, ben] = [node_of(b"genesis"), node_of(b"genesis")];
    let ann = start(&ann, bootnodes()).await.expect("free ports");
    let mut added = ann.subscribe();
    let ben = start(&ben, bootnodes()).await.expect("free ports");
    // The node of the other chain is found first: it is the bootnode.
    let event = timeout(DEADLINE, added.recv()).await.expect("in time");
    let event = event.expect("the node runs").expect("none is missed");
    let wanted = matches!(&event, peermux::PeerEvent::Added { peer } if peer.id() == ben.id());
    assert!(wanted, "{event:?}");
    assert!(other.peers().is_empty());
}

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::*;
use crate::connmgr::{AddressSource, DialFilter};
use crate::node::{NodeRecord, SecretKey};

/// Long enough for everything that happens on one machine.
const DEADLINE: Duration = Duration::from_secs(30);

struct Node {
    discovery: Discv5,
    events: Discv5Events,
    record: NodeRecord,
}

async fn started(bootnodes: &[&Node], config: Discv5Config) -> Node {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let sockets = Sockets::one(Arc::clone(&socket)).unwrap();
    started_at(&[&socket], sockets, bootnodes, config).await
}

/// Starts a node whose record has the addresses of these sockets.
async fn started_at(
    named: &[&UdpSocket],
    sockets: Sockets,
    bootnodes: &[&Node],
    config: Discv5Config,
) -> Node {
    let key = SecretKey::generate();
    let mut record = NodeRecord::builder(1);
    for socket in named {
        let addr = socket.local_addr().unwrap();
        record = record.ip(addr.ip());
        record = if addr.is_ipv4() {
            record.udp(addr.port()).tcp(addr.port())
        } else {
            record.udp6(addr.port()).tcp6(addr.port())
        };
    }
    let record = record.sign(&key).unwrap();
    let (discovery, events) = Discv5::builder(key, record.clone())
        .bootnodes(bootnodes.iter().map(|node| node.record.clone()))
        .config(config)
        .talk("echo", |talk| async move { talk.request })
        .talk("long", |_| async { vec![1; 2000] })
        .talk("panics", |_| async { panic!("by the user") })
        .start(sockets)
        .await
        .unwrap();
    Node {
        discovery,
        events,
        record,
    }
}

/// The configuration of a node that finds others on this machine.
fn local() -> Discv5Config {
    Discv5Config::default().with_private_networks(true)
}

async fn node(bootnodes: &[&Node]) -> Node {
    started(bootnodes, local()).await
}

#[tokio::test]
async fn a_node_with_two_sockets_finds_nodes_of_both_families() {
    let ben = node(&[]).await;
    let six = Arc::new(UdpSocket::bind("[::1]:0").await.unwrap());
    let sockets = Sockets::one(Arc::clone(&six)).unwrap();
    let carl = started_at(&[&six], sockets, &[], local()).await;
    let v4 = Arc::new(UdpSocket::bind("0.0.0.0:0").await.unwrap());
    let v6 = Arc::new(UdpSocket::bind("[::1]:0").await.unwrap());
    let both = started_at(&[], Sockets::both(v4, v6), &[&ben, &carl], local()).await;
    for there in [&ben, &carl] {
        let found = both.discovery.lookup(&there.record.node_id()).await;
        let found = found.unwrap();
        assert!(found.contains(&there.record), "{found:?}");
    }
}

#[tokio::test]
async fn nodes_find_each_other_through_a_third() {
    let boot = node(&[]).await;
    let (ann, ben) = (node(&[&boot]).await, node(&[&boot]).await);
    // The bootnode learns of the two nodes when they contact it.
    for asks in [&ann, &ben] {
        asks.discovery.lookup(&boot.record.node_id()).await.unwrap();
    }
    let found = ann.discovery.resolve(&ben.record.node_id()).await.unwrap();
    assert_eq!(found, Some(ben.record.clone()));
    let mut nodes = ann.discovery.nodes();
    let wanted = ben.record.node_id();
    let filter = DialFilter::new(move |record: &NodeRecord| record.node_id() == wanted);
    let next = timeout(DEADLINE, nodes.next(&filter)).await.unwrap();
    assert_eq!(next, Some(ben.record.clone()));
    let unwanted = ben.record.node_id();
    let mut nodes = nodes.only(move |record| record.node_id() != unwanted);
    assert_eq!(nodes.next(&filter).await, None);
}

#[tokio::test]
async fn talk_requests_reach_user_protocols() {
    let (ann, ben) = (node(&[]).await, node(&[]).await);
    let talk = |protocol: &'static str| ann.discovery.talk(&ben.record, protocol, b"words");
    assert_eq!(talk("echo").await.unwrap(), b"words");
    for silent in ["long", "panics", "unknown"] {
        assert!(talk(silent).await.unwrap().is_empty(), "{silent}");
    }
    let none = started(&[], Discv5Config::default().with_max_talks(0)).await;
    let refused = ann.discovery.talk(&none.record, "echo", b"words").await;
    assert!(refused.unwrap().is_empty());
}

#[tokio::test]
async fn other_nodes_report_the_address_at_which_they_see_the_node() {
    let interval = Duration::from_secs(1);
    let config = local().with_observe_interval(interval);
    let ben = node(&[]).await;
    let mut ann = started(&[&ben], config).await;
    let own = ann.record.endpoint().unwrap();
    let own = std::net::SocketAddr::from(([127, 0, 0, 1], own.udp));
    assert_eq!(ann.discovery.ping(&ben.record).await.unwrap(), own);
    let observed = timeout(DEADLINE, ann.events.observed.recv()).await.unwrap();
    assert_eq!(observed.map(|observed| observed.seen), Some(own));

    let carl = node(&[]).await;
    ann.discovery.add(&carl.record).unwrap();
    ann.discovery.ping(&carl.record).await.unwrap();
    let asked = ann.discovery.service(events::ask_some).unwrap();
    let by = join_all(asked).await.into_iter().flatten();
    let by: BTreeSet<_> = by.map(|observed| observed.by.port()).collect();
    let both = [&ben, &carl].map(|node| node.record.endpoint().unwrap().udp);
    assert_eq!(by, BTreeSet::from(both));
}

#[tokio::test]
async fn a_node_in_public_networks_neither_keeps_nor_names_nodes_on_this_machine() {
    let public = started(&[], Discv5Config::default()).await;
    let (ben, carl) = (node(&[&public]).await, node(&[&public]).await);
    let added = public.discovery.add(&ben.record).unwrap_err();
    assert!(matches!(added, Discv5Error::Record { .. }), "{added}");
    // Both nodes contact the public one, which adds them to its table at first.
    for asks in [&ben, &carl] {
        asks.discovery.ping(&public.record).await.unwrap();
    }
    let mut expelled = Box::pin(async {
        while !public.discovery.table().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    timeout(DEADLINE, &mut expelled).await.unwrap();
    let found = ben.discovery.resolve(&carl.record.node_id()).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn packets_of_other_protocols_are_handed_over_and_bounded() {
    let mut ann = node(&[]).await;
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = std::net::SocketAddr::from(([127, 0, 0, 1], ann.record.endpoint().unwrap().udp));
    other.send_to(b"of another protocol", to).await.unwrap();
    let frame = timeout(DEADLINE, ann.events.frames.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(frame.from, other.local_addr().unwrap());
    assert_eq!(frame.packet[..], b"of another protocol"[..]);
    // The packets are sent one at a time, because the operating system's buffer is bounded, too.
    while ann.events.dropped_frames() == 0 {
        other.send_to(b"more", to).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut waiting = 0;
    while ann.events.frames.try_recv().is_ok() {
        waiting += 1;
    }
    assert_eq!(waiting, 256);
}

#[tokio::test]
async fn a_new_record_is_sent_to_others() {
    let (ann, ben) = (node(&[]).await, node(&[]).await);
    ann.discovery.ping(&ben.record).await.unwrap();
    let foreign = ben.discovery.set_record(&ann.record).unwrap_err();
    assert!(
        matches!(foreign, Discv5Error::ForeignRecord { .. }),
        "{foreign}"
    );
}

#[tokio::test]
async fn unusable_records_are_refused_at_the_start() {
    let (key, other) = (SecretKey::generate(), SecretKey::generate());
    let record = NodeRecord::builder(1).sign(&key).unwrap();
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let sockets = Sockets::one(socket).unwrap();
    let foreign = Discv5::builder(other, record.clone())
        .start(sockets.clone())
        .await;
    let foreign = foreign.map(drop).unwrap_err();
    assert!(
        matches!(foreign, Discv5Error::ForeignRecord { .. }),
        "{foreign}"
    );
    let nowhere = NodeRecord::builder(1).sign(&SecretKey::generate()).unwrap();
    let builder = Discv5::builder(key, record).bootnodes([nowhere]);
    let unreachable = builder.start(sockets).await.map(drop).unwrap_err();
    assert!(
        matches!(unreachable, Discv5Error::Record { .. }),
        "{unreachable}"
    );
}

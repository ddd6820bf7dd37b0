//! Nodes that a filter of records accepts or rejects.

use std::collections::{BTreeSet, VecDeque};

use peermux::server::Discovery;
use peermux::{Enode, NodeRecord, Peer, Server};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::discovery::{
    DEADLINE, LOOPBACK, found_only, has_peers, listed, silent, start, v4_alone,
};
use super::{idle, key};

/// Nodes with unwanted records are found first, but they are not dialled.
async fn only_wanted_records_are_dialled(version: impl Fn() -> Discovery) {
    let boot = found_only(key(), version()).start().await.unwrap();
    let with_boot = || version().with_bootnodes([boot.record()]);
    let with_shop = async |number: u8| {
        let server = found_only(key(), with_boot()).record_entry("shop", &number);
        let server = server.start().await.unwrap();
        // A node that never dials does not search by version 5 on its own, so start a lookup here.
        if let Some(v5) = server.discv5() {
            v5.lookup(&boot.id()).await.expect("it runs");
        }
        server
    };
    let other = with_shop(2).await;
    let picky = with_boot().with_filter(|record| record.get::<u8>("shop") == Some(1));
    let node = start(picky).await;
    let known = async {
        let knows = async || match (node.discv4(), node.discv5()) {
            (Some(v4), _) => {
                let table = v4.table().await.unwrap();
                table
                    .iter()
                    .any(|entry| entry.contact.node_id() == other.id())
            }
            (_, v5) => {
                let found = v5.expect("a version runs").lookup(&other.id()).await;
                let found = found.unwrap_or_default();
                found.iter().any(|record| record.node_id() == other.id())
            }
        };
        while !knows().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, known).await.expect("in time");
    let wanted = with_shop(1).await;
    has_peers(&node, 1).await;
    let peers: Vec<_> = node.peers().iter().map(Peer::id).collect();
    assert_eq!(peers, [wanted.id()]);
}

#[tokio::test]
async fn only_wanted_records_are_dialled_by_version_4() {
    only_wanted_records_are_dialled(v4_alone).await;
}

#[tokio::test]
async fn only_wanted_records_are_dialled_by_version_5() {
    only_wanted_records_are_dialled(|| Discovery::new().with_v4(None)).await;
}

/// Returns the builder of a node that dials only shop 1, and the rejected shops.
fn picky() -> (peermux::ServerBuilder, mpsc::Receiver<Option<u8>>) {
    let (rejected, rejections) = mpsc::channel(8);
    let filter = move |record: &NodeRecord| {
        let shop = record.get::<u8>("shop");
        if shop != Some(1) {
            // A full channel contains enough rejections for the test.
            rejected.try_send(shop).ok();
        }
        shop == Some(1)
    };
    let discovery = v4_alone().with_addr(LOOPBACK).with_filter(filter);
    let builder = Server::builder(key()).protocol(idle("found"));
    (builder.discovery(discovery), rejections)
}

async fn next_rejected(rejections: &mut mpsc::Receiver<Option<u8>>) -> Option<u8> {
    let rejected = timeout(DEADLINE, rejections.recv()).await;
    rejected.expect("in time").expect("the node runs")
}

fn ids(server: &Server) -> BTreeSet<peermux::NodeId> {
    server.peers().iter().map(Peer::id).collect()
}

#[tokio::test]
async fn only_wanted_records_of_a_list_in_the_dns_are_dialled() {
    let [wanted, other] = [silent(&[("shop", 1)]).await, silent(&[("shop", 2)]).await];
    let (builder, mut rejections) = picky();
    let walk = listed([wanted.record(), other.record()]);
    let node = builder.source(walk).start().await.unwrap();
    has_peers(&node, 1).await;
    // The walk has named the other node more than once.
    for _ in 0..2 {
        assert_eq!(next_rejected(&mut rejections).await, Some(2));
    }
    assert_eq!(ids(&node), BTreeSet::from([wanted.id()]));
}

#[tokio::test]
async fn the_filter_covers_the_records_of_a_users_source_and_no_nodes_without_one() {
    let [other, wanted] = [silent(&[("shop", 2)]).await, silent(&[("shop", 1)]).await];
    let (bare, known) = (silent(&[]).await, silent(&[]).await);
    let (builder, mut rejections) = picky();
    let records = VecDeque::from([other.record(), bare.record(), wanted.record()]);
    let nodes: VecDeque<Enode> = VecDeque::from([known.enode()]);
    let node = builder.source(records).source(nodes);
    let node = node.start().await.unwrap();
    has_peers(&node, 2).await;
    assert_eq!(next_rejected(&mut rejections).await, Some(2));
    assert_eq!(next_rejected(&mut rejections).await, None);
    assert_eq!(ids(&node), BTreeSet::from([wanted.id(), known.id()]));
}

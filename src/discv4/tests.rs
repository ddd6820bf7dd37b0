use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::node::{Enode, PublicKey};

fn record(key: &SecretKey, seq: u64) -> NodeRecord {
    NodeRecord::builder(seq).tcp(1).sign(key).unwrap()
}

fn prepared(number: u8) -> (SecretKey, Discv4Builder) {
    let key = SecretKey::from_bytes(&[number; 32]).unwrap();
    // A generous timeout, so that tests over sockets do not depend on the machine's speed.
    let config = Discv4Config::default()
        .with_private_networks(true)
        .with_request_timeout(Duration::from_secs(5));
    let builder = Discv4::builder(key.clone(), record(&key, 1));
    (key, builder.config(config).rng_seed(number.into()))
}

async fn bound(number: u8, seeds: &[Contact]) -> (Contact, Discv4) {
    let (key, builder) = prepared(number);
    let builder = builder.seeds(seeds.iter().copied());
    let node = builder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let contact = Contact::new(key.public_key(), node.local_addr().unwrap(), 1);
    (contact, node)
}

fn enode_without_address(contact: &Contact) -> Enode {
    Enode::incomplete(*contact.public_key())
}

#[tokio::test]
async fn nodes_find_each_other_over_sockets() {
    let (first, _first) = bound(1, &[]).await;
    let (second, node) = bound(2, &[first]).await;
    let (_, third) = bound(3, &[]).await;
    let mut seen = third.observations();
    // The record request first exchanges endpoint proofs, so that the table has a node to start
    // from.
    let known = third.request_record(&first.to_enode()).await.unwrap();
    assert_eq!(known.public_key(), first.public_key());
    let seen = seen.recv().await.unwrap().unwrap();
    assert_eq!(seen.seen_as, third.local_addr().unwrap());
    assert_eq!((seen.by, seen.at), (first.node_id(), first.udp_addr()));
    node.request_record(&first.to_enode()).await.unwrap();
    let found = third
        .resolve(&enode_without_address(&second))
        .await
        .unwrap();
    assert_eq!(found.public_key(), second.public_key());
    assert_eq!(third.table().await.unwrap().len(), 2);
    assert!(third.worth_keeping().await.unwrap().is_empty());
    let walked = third.random_walk().next().await.unwrap();
    assert!([first.node_id(), second.node_id()].contains(&walked.node_id()));
}

#[tokio::test]
async fn found_nodes_are_reported_as_events() {
    let (first, _first) = bound(1, &[]).await;
    let (_, second) = bound(2, &[]).await;
    let mut found = second.found();
    second.request_record(&first.to_enode()).await.unwrap();
    let proven = found.recv().await.unwrap().unwrap();
    assert_eq!(
        (proven.contact.node_id(), proven.record),
        (first.node_id(), None)
    );
    let with_record = found.recv().await.unwrap().unwrap();
    assert_eq!(with_record.record.map(|record| record.seq()), Some(1));
}

#[tokio::test]
async fn a_record_is_replaced_by_a_newer_one_of_the_same_node() {
    let (first, node) = bound(1, &[]).await;
    let (_, other) = bound(2, &[]).await;
    let [key, foreign] = [1, 9].map(|byte| SecretKey::from_bytes(&[byte; 32]).unwrap());
    node.set_record(record(&key, 4)).await.unwrap();
    let known = other.request_record(&first.to_enode()).await.unwrap();
    assert_eq!(known.seq(), 4);
    let old = node.set_record(record(&key, 4)).await.unwrap_err();
    assert!(matches!(old, Discv4Error::OldRecord { got: 4, present: 4 }));
    let foreign = node.set_record(record(&foreign, 9)).await.unwrap_err();
    assert!(matches!(foreign, Discv4Error::ForeignRecord { .. }));
}

#[tokio::test]
async fn it_ends_on_shutdown_and_with_the_last_handle() {
    let (first, node) = bound(1, &[]).await;
    let other = node.clone();
    node.shutdown().await;
    let stopped = other.lookup(first.public_key()).await.unwrap_err();
    assert!(matches!(stopped, Discv4Error::Stopped));
    let (_, node) = bound(1, &[]).await;
    let mut found = node.found();
    drop(node);
    assert_eq!(found.recv().await, None);
}

#[tokio::test]
async fn a_failed_start_returns_the_reason() {
    let (_, node) = bound(1, &[]).await;
    let taken = node.local_addr().unwrap();
    let error = prepared(2).1.bind(taken).unwrap_err();
    assert!(matches!(error, Discv4Error::Bind { addr, .. } if addr == taken));
    let [key, foreign] = [1, 9].map(|byte| SecretKey::from_bytes(&[byte; 32]).unwrap());
    let error = Discv4::builder(key, record(&foreign, 1)).bind(taken);
    assert!(error.is_err());
    let nowhere = Enode::incomplete(foreign.public_key());
    let error = node.request_record(&nowhere).await.unwrap_err();
    assert!(matches!(error, Discv4Error::NoAddress { .. }));
}

#[test]
fn outside_of_a_runtime_there_is_an_error() {
    let error = prepared(1).1.attach(Wire::new().0).unwrap_err();
    assert!(matches!(error, Discv4Error::Runtime(_)));
}

/// A sender that puts datagrams into a queue.
struct Wire(mpsc::Sender<(SocketAddr, Bytes)>);

impl Wire {
    fn new() -> (Self, mpsc::Receiver<(SocketAddr, Bytes)>) {
        let (sender, queue) = mpsc::channel(64);
        (Self(sender), queue)
    }
}

impl DatagramSender for Wire {
    fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let sent = self.0.try_send((to, Bytes::copy_from_slice(datagram)));
        sent.map_err(|_| io::ErrorKind::WouldBlock.into())
    }
}

/// Two nodes whose sockets are queues.
async fn wired() -> [(Contact, Discv4, Inlet); 2] {
    let node = |number: u8| {
        let (key, builder) = prepared(number);
        let (wire, queue) = Wire::new();
        let (node, inlet) = builder.attach(wire).unwrap();
        let addr = SocketAddr::from(([127, 0, 0, number], 3000));
        let contact = Contact::new(key.public_key(), addr, 1);
        (contact, node, inlet, queue)
    };
    let (one, two) = (node(1), node(2));
    let carry = |from: SocketAddr, to: Inlet, mut queue: mpsc::Receiver<(SocketAddr, Bytes)>| {
        tokio::spawn(async move {
            while let Some((_, datagram)) = queue.recv().await {
                to.feed(from, datagram);
            }
        });
    };
    carry(one.0.udp_addr(), two.2.clone(), one.3);
    carry(two.0.udp_addr(), one.2.clone(), two.3);
    [(one.0, one.1, one.2), (two.0, two.1, two.2)]
}

#[tokio::test(start_paused = true)]
async fn it_works_without_its_own_socket() {
    let [(_, one, _), (second, _two, _)] = wired().await;
    assert_eq!(one.local_addr(), None);
    let record = one.request_record(&second.to_enode()).await.unwrap();
    assert_eq!(record.public_key(), second.public_key());
    let key: &PublicKey = second.public_key();
    assert_eq!(one.lookup(key).await.unwrap().nodes, [second]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_costs_at_most_two_request_timeouts() {
    let [(_, one, inlet), (second, ..)] = wired().await;
    let away = Contact::new(*second.public_key(), "127.0.0.9:1".parse().unwrap(), 0);
    let begun = tokio::time::Instant::now();
    let error = one.request_record(&away.to_enode()).await.unwrap_err();
    assert!(matches!(
        error,
        Discv4Error::BadRecord { .. } | Discv4Error::NoAnswer { .. }
    ));
    assert!(begun.elapsed() <= Duration::from_secs(10));
    one.shutdown().await;
    assert!(!inlet.feed(second.udp_addr(), Bytes::new()));
}

struct Panics;

impl DatagramSender for Panics {
    fn send(&self, _to: SocketAddr, _datagram: &[u8]) -> io::Result<()> {
        panic!("a fault of the user's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_panics_ends_nothing() {
    let (node, _inlet) = prepared(1).1.attach(Panics).unwrap();
    let key = SecretKey::from_bytes(&[2; 32]).unwrap().public_key();
    let enode = Contact::new(key, "127.0.0.9:1".parse().unwrap(), 0).to_enode();
    for _ in 0..2 {
        let error = node.request_record(&enode).await.unwrap_err();
        assert!(matches!(error, Discv4Error::NoAnswer { .. }));
    }
}

#[tokio::test]
async fn one_socket_serves_both_families() {
    let (key, builder) = prepared(1);
    // Some systems have no IPv6, or keep the address families apart.
    let Ok(both) = builder.bind("[::]:0".parse().unwrap()) else {
        return;
    };
    let port = both.local_addr().unwrap().port();
    let (four, other) = bound(2, &[]).await;
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let enode = Contact::new(key.public_key(), here, 1).to_enode();
    let record = other.request_record(&enode).await.unwrap();
    assert_eq!(record.public_key(), &key.public_key());
    let record = both.request_record(&four.to_enode()).await.unwrap();
    assert_eq!(record.public_key(), four.public_key());
    assert_eq!(
        both.table().await.unwrap()[0].contact.udp_addr(),
        four.udp_addr()
    );
}

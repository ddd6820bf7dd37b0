//! Gauges of state that is sampled.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use peermux::addrbook::{
    AddressBook, AddressBookConfig, BookConfig, MemoryStore, Source, SteadyClock,
};
use peermux::{Enode, Message, Protocol, SecretKey, Server};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{SECOND, counted, node, observed, values};

/// A time that is long enough to sample everything.
const LOOK: Duration = Duration::from_secs(6);

fn key() -> peermux::PublicKey {
    SecretKey::generate().public_key()
}

#[test]
fn limits_bans_and_static_nodes_are_sampled() {
    let snapshotter = counted(async {
        let server = node().start().await.unwrap();
        server.ban(&key().node_id(), 100 * SECOND, "test");
        server.ban_ip("192.0.2.1".parse().unwrap(), 100 * SECOND, "test");
        server.ban_ip("192.0.2.2".parse().unwrap(), SECOND, "test");
        let nowhere = Enode::new(key(), "127.0.0.1:1".parse().unwrap());
        server.add_static(nowhere).await.unwrap();
        sleep(LOOK).await;
    });
    let counted = values(&snapshotter);
    for (name, value) in [
        ("peers_max{}", 50.0),
        ("bans{target=node}", 1.0),
        ("bans{target=ip}", 1.0),
        ("static_nodes{state=waiting}", 1.0),
        ("static_nodes{state=connected}", 0.0),
        ("memory_used_bytes{budget=node}", 0.0),
        ("memory_limit_bytes{budget=node}", f64::from(512 << 20)),
        ("memory_limit_bytes{budget=peer}", f64::from(32 << 20)),
    ] {
        let name = format!("peermux_{name}");
        assert_eq!(counted.get(&name), Some(&value), "{name}");
    }
    assert!(counted["peermux_start_time_seconds{}"] > 1.7e9);
}

#[test]
fn the_address_book_is_sampled() {
    let snapshotter = counted(async {
        let config = BookConfig::default().with_private_networks(true);
        let config = AddressBookConfig::default().with_book(config);
        let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 1_000_000 * 86 * SECOND);
        let book = AddressBook::load(MemoryStore::default(), config, clock);
        let (book, _persistence) = book.await.unwrap();
        for port in [1, 2, 3] {
            let addr = format!("10.{port}.0.1:{port}").parse().unwrap();
            let added = book.add(&Enode::new(key(), addr), Source::Own);
            added.unwrap();
        }
        let tried = Enode::new(key(), "10.9.0.1:9".parse().unwrap());
        book.good(&tried).unwrap();
        let quiet = |config: peermux::ServerConfig| config.with_no_dial(true);
        let server = node().configure(quiet).node_store(book.clone());
        let server = server.start().await.unwrap();
        server.ban(&key().node_id(), 100 * SECOND, "test");
        sleep(LOOK).await;
    });
    let counted = values(&snapshotter);
    assert_eq!(counted["peermux_address_book_nodes{state=new}"], 3.0);
    assert_eq!(counted["peermux_address_book_nodes{state=tried}"], 1.0);
    assert_eq!(counted["peermux_bans{target=node}"], 1.0);
}

#[test]
fn queues_are_sampled_and_two_servers_of_a_process_are_distinguished() {
    let snapshotter = counted(async {
        let server = |name: &str, protocol: Protocol| {
            let builder = Server::builder(SecretKey::generate()).protocol(protocol);
            builder.metrics_label(name).start()
        };
        // The protocol does not read, so messages to it stay queued.
        let keeps = Protocol::builder("idle", 1, 1).run(|peer, conn| async move {
            peer.ending().await;
            drop(conn);
            Ok(())
        });
        let sender = Protocol::builder("idle", 1, 1).run(|peer, conn| async move {
            for size in [100, 200] {
                conn.send(&Message::new(0, vec![0xc0; size])).await?;
            }
            peer.ending().await;
            Ok(())
        });
        let one = server("one", keeps).await.unwrap();
        let two = server("two", sender).await.unwrap();
        let (stream, other) = tokio::io::duplex(1 << 16);
        let key = *one.enode().public_key();
        let (dialled, accepted) = tokio::join!(two.dial_over(stream, &key), one.accept_over(other));
        dialled.unwrap();
        accepted.unwrap();
        sleep(LOOK).await;
    });
    let counted = values(&snapshotter);
    for (name, value) in [
        (
            "queued_messages{protocol=idle/1,direction=ingress,node=one}",
            2.0,
        ),
        (
            "queued_bytes{protocol=idle/1,direction=ingress,node=one}",
            300.0,
        ),
        (
            "queued_messages{protocol=idle/1,direction=ingress,node=two}",
            0.0,
        ),
        (
            "messages_total{protocol=idle/1,direction=egress,node=two}",
            2.0,
        ),
        (
            "messages_total{protocol=idle/1,direction=egress,node=one}",
            0.0,
        ),
        ("inbound_total{outcome=connected,node=two}", 0.0),
    ] {
        let name = format!("peermux_{name}");
        assert_eq!(counted.get(&name), Some(&value), "{name}: {counted:#?}");
    }
}

#[test]
fn memory_is_used_while_messages_are_held_and_free_once_they_are_read() {
    const MESSAGE: usize = 100 << 10;
    /// The memory of a peer that does not count for the node.
    const FREE: f64 = 32.0 * 1024.0;
    let sender = Protocol::builder("held", 1, 1).run(|peer, conn| async move {
        for _ in 0..3 {
            conn.send(&Message::new(0, vec![0xc0; MESSAGE])).await?;
        }
        peer.ending().await;
        Ok(())
    });
    let read = Arc::new(Notify::new());
    let reading = Arc::clone(&read);
    let holder = Protocol::builder("held", 1, 1).run(move |_, mut conn| {
        let reading = Arc::clone(&reading);
        async move {
            reading.notified().await;
            while conn.recv().await?.is_some() {}
            Ok(())
        }
    });
    observed(async |snapshotter| {
        let server = Server::builder(SecretKey::generate()).protocol(holder);
        let server = server.start().await.unwrap();
        let (stream, other) = tokio::io::duplex(1 << 16);
        let sender = Server::builder(SecretKey::generate()).protocol(sender);
        let sender = sender.metrics_label("sender").start().await.unwrap();
        let key = *server.enode().public_key();
        let (dialled, accepted) =
            tokio::join!(sender.dial_over(stream, &key), server.accept_over(other));
        dialled.unwrap();
        accepted.unwrap();
        let used = async || {
            sleep(LOOK).await;
            let sampled = values(snapshotter);
            ["node", "peer"]
                .map(|budget| sampled[&format!("peermux_memory_used_bytes{{budget={budget}}}")])
        };
        let [node, peer] = used().await;
        assert!(peer >= (3 * MESSAGE) as f64, "{peer}");
        assert_eq!(node, peer - FREE);
        read.notify_one();
        let [node, peer] = used().await;
        assert_eq!(node, 0.0);
        assert!(peer < FREE, "{peer}");
    });
}

#[test]
fn a_server_that_has_stopped_leaves_no_state_behind() {
    let snapshotter = counted(async {
        let server = node().start().await.unwrap();
        server.ban(&key().node_id(), 100 * SECOND, "test");
        sleep(LOOK).await;
        server.shutdown(SECOND).await.unwrap();
    });
    let counted = values(&snapshotter);
    for name in [
        "peers_max{}",
        "bans{target=node}",
        "memory_limit_bytes{budget=node}",
    ] {
        assert_eq!(counted[&format!("peermux_{name}")], 0.0, "{name}");
    }
}

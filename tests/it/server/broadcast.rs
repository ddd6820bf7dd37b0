//! One message to many peers.

use std::sync::{Arc, OnceLock};

use peermux::server::{BroadcastError, BroadcastPolicy, NotSent, WeakServer, WhenSlow};
use peermux::{Bytes, DisconnectReason, PeerError, ProtocolError, ProtocolLimits, messages};
use tokio::sync::mpsc;

use super::*;

messages! {
    enum Blocks, length = 1 {
        0x00 => Block(Bytes),
    }
}

/// Returns a protocol that sends the sizes of what it reads to `heard`. Without `heard` it reads
/// nothing.
fn blocks(heard: Option<mpsc::Sender<usize>>) -> Protocol {
    let limits = ProtocolLimits::default().with_queue_messages(4);
    let definition = Protocol::typed::<Blocks>("blocks", 1).limits(limits);
    definition.run(move |peer, mut conn| {
        let heard = heard.clone();
        async move {
            let Some(heard) = heard else {
                peer.ending().await;
                return Ok(());
            };
            while let Some(message) = conn.recv().await? {
                let Blocks::Block(block) = message.into_inner();
                heard.try_send(block.len()).ok();
            }
            Ok(())
        }
    })
}

/// Starts a server, its readers, and a peer that reads nothing.
async fn crowd(readers: usize) -> (Server, Vec<Server>, Peer, mpsc::Receiver<usize>) {
    let (heard, hears) = mpsc::channel(1000);
    let config = |config: peermux::ServerConfig| config.with_max_peers(readers + 1);
    let server = Server::builder(key())
        .configure(config)
        .protocol(blocks(None));
    let server = server.start().await.unwrap();
    let mut others = Vec::new();
    let mut silent = None;
    for number in 0..=readers {
        let heard = (number > 0).then(|| heard.clone());
        let other = Server::builder(key()).protocol(blocks(heard));
        let other = other.start().await.unwrap();
        let (ours, theirs) = duplex(4 << 10);
        let key = *other.enode().public_key();
        let (peer, accepted) =
            tokio::join!(server.dial_over(ours, &key), other.accept_over(theirs));
        accepted.expect("accepts");
        silent.get_or_insert(peer.expect("dials"));
        others.push(other);
    }
    (server, others, silent.expect("the first"), hears)
}

fn block(size: usize) -> Blocks {
    Blocks::Block((0..size).map(|at| (at * at / 7) as u8).collect())
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_reached_before_its_function_starts() {
    let (server, (told, mut reports)) = (Arc::new(OnceLock::new()), mpsc::channel(1));
    let starting: Arc<OnceLock<WeakServer>> = Arc::clone(&server);
    let protocol = Protocol::typed::<Blocks>("blocks", 1).run(move |_, mut conn| {
        let (server, told) = (starting.get().and_then(WeakServer::upgrade), told.clone());
        async move {
            if let Some(server) = server {
                let policy = BroadcastPolicy::default();
                let report = server.broadcast(&block(1), policy, |_| true).await;
                told.send(report).await.map_err(ProtocolError::other)?;
            }
            conn.recv().await?;
            Ok(())
        }
    });
    let ours = Server::builder(key()).protocol(protocol);
    let ours = ours.start().await.unwrap();
    server.get_or_init(|| ours.downgrade());
    let other = Server::builder(key()).protocol(blocks(None));
    let other = other.start().await.unwrap();
    let (near, far) = duplex(4 << 10);
    let key = *other.enode().public_key();
    let (peer, _) = tokio::join!(ours.dial_over(near, &key), other.accept_over(far));
    peer.expect("dials");
    let report = reports.recv().await.expect("it starts").expect("sent");
    assert_eq!((report.sent, report.dropped.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn every_peer_receives_it_and_the_node_counts_it_once() {
    let (server, _others, _silent, mut hears) = crowd(20).await;
    let report = server
        .broadcast(&block(200 << 10), BroadcastPolicy::default(), |_| true)
        .await
        .unwrap();
    assert_eq!((report.sent, report.dropped.len()), (21, 0));
    let used = server.memory().used();
    assert!((200 << 10..500 << 10).contains(&used), "{used}");
    for _ in 0..20 {
        assert_eq!(hears.recv().await, Some(200 << 10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_holds_up_nobody() {
    let (server, _others, silent, mut hears) = crowd(3).await;
    let mut full = 0;
    for _ in 0..20 {
        let policy = BroadcastPolicy::default();
        let sent = server.broadcast(&block(9000), policy, |_| true).await;
        let report = sent.unwrap();
        assert_eq!(report.sent + report.full(), 4);
        for (id, why) in &report.dropped {
            assert_eq!((id, why), (&silent.id(), &NotSent::Full));
        }
        full += report.full();
        for _ in 0..3 {
            assert_eq!(hears.recv().await, Some(9000));
        }
    }
    assert!((4..16).contains(&full), "{full}");
    let small = block(1);
    let chosen = server.broadcast(&small, BroadcastPolicy::default(), |peer| {
        peer.id() != silent.id()
    });
    assert_eq!(chosen.await.unwrap().sent, 3);

    let waits = BroadcastPolicy::default().with_wait(SECOND);
    let started = tokio::time::Instant::now();
    let report = server.broadcast(&block(2), waits, |_| true).await.unwrap();
    assert_eq!((report.sent, report.full()), (3, 1));
    assert_eq!(started.elapsed(), SECOND);

    let ends = BroadcastPolicy::default().with_when_slow(WhenSlow::Disconnect);
    let report = server.broadcast(&block(3), ends, |_| true).await.unwrap();
    assert_eq!(report.full(), 1);
    let outcome = silent.ended().await.expect("has ended");
    assert!(matches!(
        outcome.error,
        PeerError::Local(DisconnectReason::USELESS_PEER)
    ));
}

#[tokio::test(start_paused = true)]
async fn failed_sends_are_reported() {
    let (server, _others, _silent, _hears) = crowd(1).await;
    let policy = BroadcastPolicy::default();
    let error = server.broadcast(&block(17 << 20), policy, |_| true).await;
    assert!(matches!(error, Err(BroadcastError::TooLarge { .. })));
    let report = server.broadcast(&block(1), policy, |_| false).await;
    assert_eq!(report, Ok(Default::default()));
}

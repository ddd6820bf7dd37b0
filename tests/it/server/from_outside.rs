//! Use of peers from outside their protocols' functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt, StreamExt};
use peermux::server::PeerChange;
use peermux::{DisconnectReason, Message, ProtocolLimits, ProtocolSender, messages};

use super::*;

messages! {
    #[derive(Debug, PartialEq)]
    enum Word, length = 1 {
        0x00 => Say(String),
    }
}

/// A protocol that sends what it reads to `heard`, or reads nothing.
fn word(name: &str, heard: Option<tokio::sync::mpsc::Sender<Word>>) -> Protocol {
    Protocol::typed::<Word>(name, 1).run(move |_, mut conn| {
        let heard = heard.clone();
        async move {
            while let Some(word) = conn.recv().await? {
                if let Some(heard) = &heard {
                    heard.send(word.into_inner()).await.ok();
                }
            }
            Ok(())
        }
    })
}

/// Connects two servers; returns the first one's handle of the second.
async fn connected(first: ServerBuilder, second: ServerBuilder) -> (Server, Server, Peer) {
    let first = first.start().await.unwrap();
    let second = second.start().await.unwrap();
    let (ours, theirs) = duplex(64 << 10);
    let key = *second.enode().public_key();
    let (dialled, accepted) = tokio::join!(first.dial_over(ours, &key), second.accept_over(theirs));
    accepted.expect("accepts");
    (first, second, dialled.expect("dials"))
}

#[tokio::test(start_paused = true)]
async fn a_dial_returns_when_the_protocols_have_begun() {
    let begun = Arc::new(AtomicBool::new(false));
    let marks = {
        let begun = Arc::clone(&begun);
        Protocol::builder("marks", 1, 1).run(move |peer, _conn| {
            let begun = Arc::clone(&begun);
            async move {
                begun.store(true, Ordering::SeqCst);
                peer.ending().await;
                Ok(())
            }
        })
    };
    for _ in 0..100 {
        begun.store(false, Ordering::SeqCst);
        let ours = Server::builder(key()).protocol(marks.clone());
        let theirs = Server::builder(key()).protocol(idle("marks"));
        let _connected = connected(ours, theirs).await;
        assert!(begun.load(Ordering::SeqCst));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_returns_even_if_a_protocol_ends_at_once() {
    let ends = Protocol::builder("ends", 1, 1).run(|_, _| async { Ok(()) });
    let panics = Protocol::builder("panics", 1, 1).run(|_, _| async { panic!("at once") });
    for protocol in [ends, panics] {
        let name = protocol.capability().name().to_owned();
        let ours = Server::builder(key()).protocol(protocol);
        let theirs = Server::builder(key()).protocol(idle(&name));
        let (_ours, _theirs, peer) = connected(ours, theirs).await;
        peer.ended().await.expect("has an outcome");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_to_a_connected_node_offers_its_peer() {
    let (ours, theirs) = (Server::builder(key()), Server::builder(key()));
    let (ours, theirs, peer) = connected(ours, theirs).await;
    let error = ours.dial(&at(&theirs, "20.1.1.1:30303")).await;
    let Err(DialError::Connected { peer: offered }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(offered.id(), peer.id());
    let (stream, _other) = duplex(1 << 10);
    let error = ours.dial_over(stream, peer.public_key()).await;
    let error = error.expect_err("is connected");
    assert!(matches!(error, DialError::Connected { .. }), "{error}");
    assert_eq!(error.reason(), Some(DisconnectReason::ALREADY_CONNECTED));
}

#[tokio::test(start_paused = true)]
async fn anybody_may_send_to_a_peer() {
    let (heard, mut hears) = tokio::sync::mpsc::channel(4);
    let ours = Server::builder(key())
        .protocol(word("one", None))
        .protocol(word("two", None));
    let theirs = Server::builder(key()).protocol(word("two", Some(heard)));
    let (ours, theirs, peer) = connected(ours, theirs).await;
    let typed: ProtocolSender<Word> = ours.sender(&peer.id()).expect("runs");
    typed.send(&Word::Say("typed".into())).await.unwrap();
    let raw: ProtocolSender<Message> = peer.sender_of("two").expect("runs");
    raw.send(&Message::new(0, vec![0x83, b'r', b'a', b'w']))
        .await
        .unwrap();
    assert_eq!(hears.recv().await, Some(Word::Say("typed".into())));
    assert_eq!(hears.recv().await, Some(Word::Say("raw".into())));

    assert!(peer.sender_of::<Word>("one").is_none(), "is not shared");
    assert!(peer.sender::<Message>().is_none(), "has other messages");
    assert!(ours.sender::<Word>(&ours.id()).is_none(), "not connected");
    let speakers: Vec<_> = ours.peers_with("two").map(|peer| peer.id()).collect();
    assert_eq!(speakers, [theirs.id()]);
    assert_eq!(ours.peers_with("one").count(), 0);

    peer.disconnect(DisconnectReason::REQUESTED);
    peer.ended().await;
    assert!(peer.sender::<Word>().is_none(), "has ended");
    assert!(typed.send(&Word::Say("late".into())).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_peers_of_a_protocol_can_be_watched() {
    let ours = Server::builder(key()).protocol(word("word", None));
    let ours = ours.start().await.unwrap();
    let mut watch = ours.watch_peers_with("word");
    let join = |name: &'static str| {
        let ours = ours.clone();
        async move {
            let theirs = Server::builder(key())
                .protocol(word(name, None))
                .protocol(word("other", None));
            let theirs = theirs.start().await.unwrap();
            let (near, far) = duplex(64 << 10);
            let key = *theirs.enode().public_key();
            let (dialled, accepted) =
                tokio::join!(ours.dial_over(near, &key), theirs.accept_over(far));
            accepted.map(drop).ok();
            (theirs, dialled.ok())
        }
    };
    let (_first, peer) = join("word").await;
    let peer = peer.expect("connects");
    let came = watch.recv().await;
    assert!(matches!(came, Some(PeerChange::Came(came)) if came.id() == peer.id()));
    let mut later = ours.watch_peers_with("word");
    assert!(matches!(later.recv().await, Some(PeerChange::Came(_))));

    // Far more events than a subscriber may leave unread.
    for _ in 0..600 {
        let (_theirs, peer) = join("word").await;
        peer.expect("connects")
            .disconnect(DisconnectReason::REQUESTED);
    }
    peer.disconnect(DisconnectReason::REQUESTED);
    peer.ended().await;
    let (_last, last) = join("word").await;
    let last = last.expect("connects");
    let mut there = std::collections::HashSet::from([peer.id()]);
    while there != [last.id()].into() {
        match watch.recv().await.expect("the server is there") {
            PeerChange::Came(peer) => assert!(there.insert(peer.id())),
            PeerChange::Went(peer) => assert!(there.remove(&peer.id())),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn watched_peers_are_a_stream_and_a_dropped_call_loses_no_change() {
    let server = || Server::builder(key()).protocol(word("word", None)).start();
    let (ours, theirs) = (server().await.unwrap(), server().await.unwrap());
    let mut watch = ours.watch_peers_with("word");
    let (near, far) = duplex(64 << 10);
    let key = *theirs.enode().public_key();
    let change = async {
        loop {
            match watch.next().now_or_never() {
                Some(change) => break change,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let (change, peer, _) =
        tokio::join!(change, ours.dial_over(near, &key), theirs.accept_over(far));
    let peer = peer.expect("connects");
    assert!(matches!(change, Some(PeerChange::Came(came)) if came.id() == peer.id()));
    peer.disconnect(DisconnectReason::REQUESTED);
    drop((ours, peer));
    let rest: Vec<_> = watch.collect().await;
    assert!(matches!(rest[..], [PeerChange::Went(_)]));
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_protocol_are_counted() {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let (told, mut tells) = tokio::sync::mpsc::channel(100);
    let slow = Protocol::typed::<Word>("word", 1)
        .limits(limits)
        .run(move |_, mut conn| {
            let told = told.clone();
            async move {
                while let Some(word) = conn.recv().await? {
                    tokio::time::sleep(SECOND).await;
                    told.send(word.into_inner()).await.ok();
                }
                Ok(())
            }
        });
    let ours = Server::builder(key()).protocol(word("word", None));
    let theirs = Server::builder(key()).protocol(slow);
    let (ours, theirs, peer) = connected(ours, theirs).await;
    let sender: ProtocolSender<Word> = peer.sender().expect("runs");
    for _ in 0..10 {
        sender.send(&Word::Say("ten bytes".into())).await.unwrap();
    }
    for _ in 0..10 {
        tells.recv().await.expect("reads");
    }
    peer.ping().await.expect("answers");
    let stats = peer.stats();
    assert_eq!(stats.id, theirs.id());
    assert!(stats.round_trip_p99.is_some());
    let [word] = &stats.protocols[..] else {
        panic!("one protocol runs");
    };
    assert_eq!(word.protocol.name(), "word");
    assert_eq!((word.sent, word.sent_bytes, word.waiting), (10, 100, 0));
    assert!(word.gate_wait_p50.is_some());
    let there = theirs.peer(&ours.id()).expect("is connected").stats();
    let word = &there.protocols[0];
    assert_eq!((word.received, word.received_bytes), (10, 100));
    assert!(word.pauses > 0 && word.paused > SECOND, "{word:?}");
    peer.disconnect(DisconnectReason::REQUESTED);
    peer.ended().await;
    assert!(peer.stats().protocols.is_empty());
}

//! The role of a peer that sends with two protocols at once.

use std::time::Duration;

use futures::future::join;
use peermux::{DisconnectReason, Enode, Peer, ProtocolConn, SecretKey, Server};
use tokio::time::{Instant, sleep};

use crate::load::{ASIDE, COUNTED, LOAD, RETURNED, lent, message, returned, round_trips};
use crate::worker::{commands, tell};

const SIZE: usize = 1 << 10;

/// How many messages are left unread, and the size of each. Their number and their total size are
/// just below the bounds of 256 messages and 4 MiB.
const ASIDE_MESSAGES: usize = 255;
const ASIDE_SIZE: usize = 16_000;

const ECHO_SIZE: usize = 32;

#[tokio::main]
pub(crate) async fn run(enode: &str) {
    let enode: Enode = enode.parse().expect("an enode URL");
    tell("ready");
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["mix", messages, delay] => {
                let delay = Duration::from_millis(delay.parse().expect("a number"));
                let messages = messages.parse().expect("a number");
                let (seconds, pong) = mix(&enode, messages, delay).await;
                tell(&format!("{seconds} {}", pong.as_secs_f64() * 1e3));
            }
            ["beside", size, count] => {
                let (size, count) = (size.parse(), count.parse());
                let (size, count) = (size.expect("a number"), count.expect("a number"));
                let (p50, p99, rate) = beside(&enode, size, count).await;
                tell(&format!("{p50} {p99} {rate}"));
            }
            other => panic!("not a command of a talker: {other:?}"),
        }
    }
}

/// A new connection with the channels of both protocols. Dropping this ends the connection.
struct Talk {
    _server: Server,
    peer: Peer,
    load: ProtocolConn,
    aside: ProtocolConn,
}

impl Talk {
    async fn begin(node: &Enode) -> Self {
        let ((load, mut loads), (aside, mut asides)) = (lent(LOAD), lent(ASIDE));
        let server = Server::builder(SecretKey::generate())
            .protocol(load)
            .protocol(aside);
        let server = server.start().await.expect("a server");
        let peer = server.dial(node).await.expect("the node accepts");
        Self {
            _server: server,
            peer,
            load: loads.recv().await.expect("shared"),
            aside: asides.recv().await.expect("shared"),
        }
    }
}

async fn end(peer: &Peer) {
    peer.disconnect(DisconnectReason::CLIENT_QUITTING);
    peer.ended().await;
}

/// Sends both protocols' messages over a new connection, and one Ping after a delay. Returns the
/// seconds until the last message was returned, and the time that the Pong took.
async fn mix(node: &Enode, messages: usize, delay: Duration) -> (f64, Duration) {
    let mut talk = Talk::begin(node).await;
    let aside = talk.aside;
    let flood = tokio::spawn(async move {
        let message = message(COUNTED, ASIDE_SIZE);
        for _ in 0..ASIDE_MESSAGES {
            aside.send(&message).await.expect("the peer lives");
        }
        aside
    });
    let started = Instant::now();
    let sending = async {
        send(&mut talk.load, messages).await;
        started.elapsed().as_secs_f64()
    };
    let (seconds, pong) = join(sending, ping(&talk.peer, delay)).await;
    let _aside = flood.await.expect("no panic");
    end(&talk.peer).await;
    (seconds, pong)
}

/// Makes round trips of one protocol over a new connection. Meanwhile, the other protocol sends
/// messages of `size` bytes as fast as it can, or none if `size` is 0. Returns the percentiles 50
/// and 99 of the round trips in microseconds, and the other protocol's rate in megabytes per
/// second.
async fn beside(node: &Enode, size: usize, count: usize) -> (f64, f64, f64) {
    let mut talk = Talk::begin(node).await;
    let aside = talk.aside;
    let flood = tokio::spawn(async move {
        let message = message(COUNTED, size);
        let mut sent = 0;
        // This loop runs until the connection ends.
        while size > 0 && aside.send(&message).await.is_ok() {
            sent += size;
        }
        sent
    });
    let started = Instant::now();
    let [p50, p99, _] = round_trips(&mut talk.load, count, ECHO_SIZE, Duration::ZERO).await;
    let seconds = started.elapsed().as_secs_f64();
    end(&talk.peer).await;
    let sent = flood.await.expect("no panic");
    (p50, p99, sent as f64 / 1e6 / seconds)
}

async fn send(conn: &mut ProtocolConn, messages: usize) {
    let counted = message(COUNTED, SIZE);
    for _ in 1..messages {
        conn.send(&counted).await.expect("the peer lives");
    }
    conn.send(&message(RETURNED, SIZE))
        .await
        .expect("the peer lives");
    returned(conn).await;
}

async fn ping(peer: &Peer, delay: Duration) -> Duration {
    sleep(delay).await;
    let pong = peer.ping().await;
    if pong.is_none() {
        panic!(
            "no pong: {:?}",
            peer.ended().await.map(|outcome| outcome.error.to_string())
        );
    }
    pong.unwrap_or_default()
}

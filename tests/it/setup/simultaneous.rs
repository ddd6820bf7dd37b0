//! Two nodes dial each other at nearly the same time, with different latencies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peermux::p2p::ids;
use peermux::rlpx::{HandshakeRandomness, Initiator, Legacy};
use peermux::setup::{Authenticated, accept, initiate};
use peermux::testing::{Scripted, link};
use peermux::{Capability, DialError, DisconnectReason, Hello, Peer, Protocol, SecretKey, Server};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn idle() -> Protocol {
    Protocol::builder("a", 0, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    })
}

async fn node(key: SecretKey) -> Server {
    let node = Server::builder(key).protocol(idle());
    node.start().await.expect("starts")
}

/// Returns two nodes, the one with the smaller node id first.
async fn nodes() -> (Server, Server) {
    let (a, b) = keys();
    (node(a).await, node(b).await)
}

fn keys() -> (SecretKey, SecretKey) {
    let (a, b) = (SecretKey::generate(), SecretKey::generate());
    let id = |key: &SecretKey| key.public_key().node_id();
    if id(&a) < id(&b) { (a, b) } else { (b, a) }
}

/// Dials after a wait. As with TCP, the connection takes one latency to open.
async fn dial(
    from: &Server,
    to: &Server,
    wait: Duration,
    latency: Duration,
) -> Result<Peer, DialError> {
    sleep(wait).await;
    let (near, far) = link(latency);
    let accept = {
        let to = to.clone();
        async move {
            sleep(latency).await;
            // A refusal is an expected result.
            let _ = to.accept_over(far).await;
        }
    };
    tokio::spawn(accept);
    sleep(latency * 2).await;
    from.dial_over(near, to.enode().public_key()).await
}

/// Checks that both nodes have the same single connection, and keep it.
async fn one_connection(a: &Server, b: &Server, what: &str) {
    sleep(Duration::from_secs(10)).await;
    let (on_a, on_b) = (a.peer(&b.id()), b.peer(&a.id()));
    let (Some(on_a), Some(on_b)) = (on_a, on_b) else {
        panic!("no connection: {what}")
    };
    assert_eq!(
        on_a.channel_binding().as_bytes(),
        on_b.channel_binding().as_bytes(),
        "{what}"
    );
    assert_ne!(on_a.direction(), on_b.direction());
    assert_eq!((a.peer_count(), b.peer_count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn exactly_one_connection_survives_whatever_the_latency_and_the_start() {
    for latency in [0, 1, 20, 50, 100, 200] {
        for skew in [
            0, 1, 10, 20, 50, 99, 100, 101, 150, 200, 300, 400, 500, 600, 900,
        ] {
            for smaller_first in [true, false] {
                let (a, b) = nodes().await;
                let (first, second) = if smaller_first { (&a, &b) } else { (&b, &a) };
                let (way, wait) = (ms(latency), ms(skew));
                let _ends = tokio::join!(
                    dial(first, second, Duration::ZERO, way),
                    dial(second, first, wait, way)
                );
                let what = format!("{latency} ms, {skew} ms later, smaller first: {smaller_first}");
                one_connection(&a, &b, &what).await;
            }
        }
    }
}

/// A node without a tie-break rule, like most implementations.
///
/// Such a node completes a connection if it has none. Otherwise it refuses the connection, before
/// or after Hello.
#[derive(Clone)]
struct Unruly {
    key: SecretKey,
    connected: Arc<AtomicBool>,
}

impl Unruly {
    fn new(key: SecretKey) -> Self {
        let connected = Arc::default();
        Self { key, connected }
    }

    async fn complete(&self, authenticated: Authenticated<DuplexStream>) {
        if self.connected.load(Ordering::Relaxed) {
            return authenticated
                .refuse(DisconnectReason::ALREADY_CONNECTED)
                .await;
        }
        let hello = Hello::new(
            "unruly",
            vec![Capability::new("a", 0)],
            self.key.public_key(),
        );
        let Ok(established) = authenticated.exchange_hello(&hello).await else {
            return;
        };
        if self.connected.swap(true, Ordering::Relaxed) {
            return established
                .refuse(DisconnectReason::ALREADY_CONNECTED)
                .await;
        }
        let mut script = Scripted::over(established);
        while let Some(frame) = script.next().await {
            if frame.reason.is_some() {
                break;
            }
            if frame.id == ids::PING {
                script.send(ids::PONG, &[0xc0]).await;
            }
        }
        self.connected.store(false, Ordering::Relaxed);
    }

    async fn accept(self, stream: DuplexStream) {
        if let Ok(authenticated) = accept(stream, &self.key, Legacy::Refuse).await {
            self.complete(authenticated).await;
        }
    }

    async fn dial(self, to: Server, wait: Duration, latency: Duration) {
        sleep(wait).await;
        let (near, far) = link(latency);
        let remote = *to.enode().public_key();
        tokio::spawn(async move {
            sleep(latency).await;
            // The refused side notices the refusal when its connection ends.
            let _ = to.accept_over(far).await;
        });
        sleep(latency * 2).await;
        if let Ok(authenticated) = initiate(near, &self.key, &remote).await {
            self.complete(authenticated).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_node_that_has_no_rule_at_least_one_survives() {
    for latency in [0, 1, 20, 50, 100, 200] {
        for skew in [0, 1, 10, 20, 50, 100, 150, 200, 300, 400, 600] {
            for (ours_first, ours_smaller) in
                [(true, true), (true, false), (false, true), (false, false)]
            {
                let (small, large) = keys();
                let (own, other) = if ours_smaller {
                    (small, large)
                } else {
                    (large, small)
                };
                let (ours, theirs) = (node(own).await, Unruly::new(other));
                let (we_wait, they_wait) = if ours_first { (0, skew) } else { (skew, 0) };
                let way = ms(latency);
                tokio::spawn(theirs.clone().dial(ours.clone(), ms(they_wait), way));
                sleep(ms(we_wait)).await;
                let (near, far) = link(way);
                let accepting = theirs.clone();
                tokio::spawn(async move {
                    sleep(way).await;
                    accepting.accept(far).await;
                });
                sleep(way * 2).await;
                // Either connection may survive.
                let _ = ours.dial_over(near, &theirs.key.public_key()).await;
                sleep(Duration::from_secs(10)).await;
                let what = format!("{latency} ms, {skew} ms later, {ours_first} {ours_smaller}");
                assert_eq!(ours.peer_count(), 1, "{what}");
            }
        }
    }
}

/// Opens connections to `to` with recorded auths of the node with `key`.
async fn replay_auths(key: &SecretKey, to: &Server, count: usize) -> Vec<DuplexStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let randomness = HandshakeRandomness::random(&mut rand::rng());
        let (_, auth) = Initiator::new(key, to.enode().public_key(), randomness).expect("sealed");
        let (mut near, far) = duplex(1 << 16);
        near.write_all(&auth).await.expect("written");
        let to = to.clone();
        tokio::spawn(async move { to.accept_over(far).await.map(|_| ()) });
        held.push(near);
    }
    sleep(ms(1)).await;
    held
}

#[tokio::test(start_paused = true)]
async fn replayed_auths_delay_a_dial_once_and_never_suppress_it() {
    for smaller in [true, false] {
        let (small, large) = keys();
        let (own, other) = if smaller {
            (small, large)
        } else {
            (large, small)
        };
        let (ours, theirs) = (node(own).await, node(other.clone()).await);
        let _held = replay_auths(&other, &ours, 20).await;
        let replaying = tokio::spawn({
            let ours = ours.clone();
            async move {
                loop {
                    let held = replay_auths(&other, &ours, 1).await;
                    sleep(ms(100)).await;
                    drop(held);
                }
            }
        });
        let started = Instant::now();
        let peer = dial(&ours, &theirs, Duration::ZERO, ms(10)).await;
        assert_eq!(peer.expect("connects").id(), theirs.id());
        assert!(started.elapsed() < ms(2200), "{:?}", started.elapsed());
        replaying.abort();
    }
}

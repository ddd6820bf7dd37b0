//! A peer that makes round trips alongside bulk messages of another protocol.
//!
//! The peer is a role of this binary.

use std::time::Duration;

use peermux::{
    Bytes, DisconnectReason, Enode, Peer, Protocol, ProtocolConn, ProtocolError, SecretKey, Server,
};
use peermux_protocols::bench::BenchMessage;
use peermux_protocols::echo::{Client, Config, Echo};
use rand::Rng;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::load::ECHO;

pub(crate) const TALK: &str = "talk";

/// How long bulk messages fill the path before the first round trip.
const SETTLE: Duration = Duration::from_secs(1);

type BulkConn = ProtocolConn<BenchMessage>;

/// Prints the round trip times alongside bulk messages of `size` bytes as JSON. The round trips
/// alternate between the connection of the bulk messages and a second, otherwise idle connection
/// over the same path.
pub(crate) fn run(enode: &str, size: usize, seconds: f64) {
    let enode: Enode = enode.parse().expect("an enode URL");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let told = runtime.block_on(talk(&enode, size, Duration::from_secs_f64(seconds)));
    println!("{told}");
}

async fn talk(enode: &Enode, size: usize, time: Duration) -> Value {
    let (bulk, mut lent) = lent();
    let (busy, idle) = (Echo::new(Config::default()), Echo::new(Config::default()));
    let builder = Server::builder(SecretKey::generate()).protocol(bulk);
    let (_first, loaded, with_bulk) = connect(builder.protocol(busy.clone()), &busy, enode).await;
    let builder = Server::builder(SecretKey::generate());
    let (_second, unloaded, alone) = connect(builder.protocol(idle.clone()), &idle, enode).await;
    let conn = lent.recv().await.expect("the listener speaks bench");

    let (stop, stopped) = oneshot::channel();
    let sending = tokio::spawn(send(conn, size, stopped));
    sleep(SETTLE).await;
    let (mut same, mut second) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while started.elapsed() < time {
        same.push(round_trip(&with_bulk, &loaded).await);
        second.push(round_trip(&alone, &unloaded).await);
    }
    // Sending fails if the task has panicked, and the task's result then reports the panic.
    let _ = stop.send(());
    let rate = sending.await.expect("the listener counts");
    for peer in [&loaded, &unloaded] {
        peer.disconnect(DisconnectReason::CLIENT_QUITTING);
    }
    json!({
        "ok": true,
        "count": same.len(),
        "p50_us": part(&mut same, 0.5),
        "p99_us": part(&mut same, 0.99),
        "second_p50_us": part(&mut second, 0.5),
        "second_p99_us": part(&mut second, 0.99),
        "bulk_mb_per_s": rate,
    })
}

/// Returns the protocol `bench`, whose channel this file drives.
fn lent() -> (Protocol, mpsc::Receiver<BulkConn>) {
    let (lend, lent) = mpsc::channel(1);
    let protocol = Protocol::typed::<BenchMessage>("bench", 1).run(move |peer, conn| {
        let lend = lend.clone();
        async move {
            lend.send(conn).await.map_err(ProtocolError::other)?;
            peer.ending().await;
            Ok(())
        }
    });
    (protocol, lent)
}

async fn connect(
    builder: peermux::ServerBuilder,
    echo: &Echo,
    enode: &Enode,
) -> (Server, Peer, Client) {
    let server = builder.start().await.expect("a server");
    let peer = server.dial(enode).await.expect("the listener accepts");
    let client = echo.client(&peer).await.expect("the listener speaks echo");
    (server, peer, client)
}

/// Sends bulk messages until `stopped` resolves. Returns the megabytes per second that the listener
/// counted.
async fn send(mut conn: BulkConn, size: usize, mut stopped: oneshot::Receiver<()>) -> f64 {
    let mut content = vec![0; size];
    rand::rng().fill_bytes(&mut content);
    let message = BenchMessage::Data(Bytes::from(content));
    let started = Instant::now();
    loop {
        tokio::select! {
            sent = conn.send(&message) => sent.expect("the listener lives"),
            _ = &mut stopped => break,
        }
    }
    conn.send(&BenchMessage::Flush)
        .await
        .expect("the listener lives");
    let received = conn
        .recv()
        .await
        .expect("the listener keeps to the protocol");
    match received.expect("the listener lives").into_inner() {
        BenchMessage::Stats { bytes, .. } => bytes as f64 / 1e6 / started.elapsed().as_secs_f64(),
        other => panic!("not Stats: {other:?}"),
    }
}

async fn round_trip(client: &Client, peer: &Peer) -> Duration {
    let mut content = vec![0; ECHO];
    rand::rng().fill_bytes(&mut content);
    match client.round_trip(content).await {
        Ok(took) => took,
        Err(error) => {
            let outcome = peer.outcome().map(|outcome| outcome.error.to_string());
            panic!("no round trip: {error}, {outcome:?}")
        }
    }
}

/// Returns the quantile `part` of the round trips in microseconds.
fn part(took: &mut [Duration], part: f64) -> f64 {
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    let at = (part * last as f64).round() as usize;
    took.get(at)
        .map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
}

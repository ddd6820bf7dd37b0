//! The role of the honest remotes.
//!
//! The honest remotes are a peer that exchanges messages with the node, an identity that sends to
//! the node in comm, and newcomers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use peermux::p2p::{RawMessage, RlpxCodec};
use peermux::rlp::RlpStream;
use peermux::setup::{Established, Joined};
use peermux::{Capability, DisconnectReason, Enode, SecretKey};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::codec::Framed;

use crate::OTHERS;
use crate::connect::{PING, open, source};
use crate::greet::{Problem, address_of, greet};
use crate::member;
use crate::pin::pin;
use crate::worker::{commands, tell};

/// The first value of the second byte in honest addresses, and the number of values.
const FIRST: u8 = 210;
const NETWORKS: u8 = 40;

/// The first message code of the honest peer's only protocol.
const ECHO: u64 = 0x10;
const PONG: u64 = 3;

/// How many messages are in flight at once.
const WINDOW: usize = 16;

/// The maximum wait of a newcomer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The interval between newcomers.
const NEWCOMERS: Duration = Duration::from_millis(100);

pub(crate) type Link = Framed<Joined<TcpStream>, RlpxCodec>;

pub(crate) fn run(enode: &str) {
    pin(OTHERS);
    behave(&enode.parse().expect("an enode URL"));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn behave(node: &Enode) {
    let keys = [SecretKey::generate(), SecretKey::generate()];
    let [peer, member] = &keys;
    tell(
        &keys
            .each_ref()
            .map(|key| key.public_key().node_id().to_string())
            .join(" "),
    );
    let place = Arc::new(AtomicUsize::new(0));
    let mut link = connect(node, peer, &place).await.ok();
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let ["measure", ms] = words.as_slice() else {
            panic!("not a command of the honest: {words:?}");
        };
        let time = Duration::from_millis(ms.parse().expect("a number"));
        let newcomers = tokio::spawn(newcomers(node.clone(), Arc::clone(&place), 2 * time));
        let talks = {
            let (node, member, place) = (node.clone(), member.clone(), Arc::clone(&place));
            tokio::spawn(async move { member::talk(&node, &member, &place, 2 * time).await })
        };
        let mut ended = 0.0;
        let mut told = Vec::new();
        for (window, size) in [(WINDOW, 1000), (1, 32)] {
            if link.is_none() {
                link = connect(node, peer, &place).await.ok();
            }
            let measured = match &mut link {
                Some(link) => echo(link, time, window, size).await,
                None => Err("not connected".into()),
            };
            let took = measured.unwrap_or_else(|error| {
                eprintln!("the honest peer: {error}");
                link = None;
                ended += 1.0;
                Vec::new()
            });
            told.push(took);
        }
        let [many, single] = [&told[0], &told[1]];
        let rate = many.len() as f64 / time.as_secs_f64();
        let mut connects = newcomers.await.expect("no newcomer panics");
        let refused = connects.iter().filter(|took| took.is_none()).count();
        let mut took: Vec<_> = connects
            .drain(..)
            .map(|took| took.unwrap_or(PATIENCE))
            .collect();
        let line = [
            rate,
            quantile(&mut single.clone(), 0.99) * 1e6,
            quantile(&mut took, 0.95) * 1e3,
            took.len() as f64,
            refused as f64,
            ended,
            talks.await.expect("it does not panic") as f64,
        ];
        tell(&line.map(|number| number.to_string()).join(" "));
    }
}

/// Returns a quantile in seconds.
fn quantile(took: &mut [Duration], part: f64) -> f64 {
    took.sort_unstable();
    let at = (part * took.len().saturating_sub(1) as f64) as usize;
    took.get(at).map_or(f64::INFINITY, Duration::as_secs_f64)
}

/// Connects from the next honest address.
pub(crate) async fn meet(
    node: &Enode,
    key: &SecretKey,
    place: &AtomicUsize,
    capabilities: Vec<Capability>,
) -> Result<Established<TcpStream>, Problem> {
    let from = source(FIRST, NETWORKS, place.fetch_add(1, Ordering::Relaxed));
    let stream = open(from, address_of(node)).await?;
    greet(stream, node, key, capabilities).await
}

async fn connect(node: &Enode, key: &SecretKey, place: &AtomicUsize) -> Result<Link, Problem> {
    let echo = vec![Capability::new("echo", 1)];
    Ok(meet(node, key, place, echo).await?.into_framed())
}

/// Sends messages for a time, with `window` of them in flight. Returns the round trip times.
async fn echo(
    link: &mut Link,
    time: Duration,
    window: usize,
    size: usize,
) -> Result<Vec<Duration>, Problem> {
    let mut payload = RlpStream::new();
    payload.append(&vec![7u8; size]);
    let message = RawMessage {
        id: ECHO,
        payload: payload.out().freeze(),
    };
    let (started, mut took) = (Instant::now(), Vec::new());
    while started.elapsed() < time {
        let sent = Instant::now();
        for _ in 0..window {
            link.feed(message.clone()).await?;
        }
        link.flush().await?;
        for _ in 0..window {
            answer(link).await?;
            took.push(sent.elapsed());
        }
        if window == 1 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(took)
}

/// Waits for one answer and answers Pings in the meantime.
async fn answer(link: &mut Link) -> Result<(), Problem> {
    loop {
        let next = timeout(PATIENCE, link.next()).await?;
        match next.ok_or("the node closed the connection")?? {
            RawMessage { id, .. } if id == ECHO + 1 => return Ok(()),
            RawMessage { id: PING, .. } => {
                let payload = Bytes::from_static(&[0xc0]);
                link.send(RawMessage { id: PONG, payload }).await?;
            }
            RawMessage { id: 1, payload } => {
                return Err(format!("the node disconnected: {payload:02x?}").into());
            }
            _ => {}
        }
    }
}

/// Returns how long each newcomer took to connect, or `None` for one that failed.
async fn newcomers(node: Enode, place: Arc<AtomicUsize>, time: Duration) -> Vec<Option<Duration>> {
    let (started, mut coming) = (Instant::now(), Vec::new());
    while started.elapsed() < time {
        let (node, place) = (node.clone(), Arc::clone(&place));
        coming.push(tokio::spawn(async move {
            let begun = Instant::now();
            let link = timeout(PATIENCE, newcomer(&node, &place)).await.ok()?;
            link.ok().map(|()| begun.elapsed())
        }));
        sleep(NEWCOMERS).await;
    }
    let mut took = Vec::new();
    for one in coming {
        took.push(one.await.expect("no newcomer panics"));
    }
    took
}

/// Connects, gets one message echoed, and leaves.
async fn newcomer(node: &Enode, place: &AtomicUsize) -> Result<(), Problem> {
    let mut link = connect(node, &SecretKey::generate(), place).await?;
    echo(&mut link, Duration::from_nanos(1), 1, 8).await?;
    let goodbye = vec![0xc1, DisconnectReason::CLIENT_QUITTING.0];
    let payload = Bytes::from(goodbye);
    link.send(RawMessage { id: 1, payload }).await?;
    Ok(())
}

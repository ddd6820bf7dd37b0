//! The cost of the communication layer over loopback TCP.
//!
//! The benchmark measures messages of 1 KiB, compared with a raw subprotocol. It also measures a
//! thousand concurrent calls that wait for twenty acknowledgements each. It prints medians of
//! interleaved runs with their spread.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use peermux::comm::{
    AckPolicy, Comm, Config, Envelope, Overflow, RemotePeer, Secp256k1Identity, SubscriptionConfig,
};
use peermux::{Message, Protocol, ProtocolConn, SecretKey, Server};
use tokio::sync::mpsc;
use tokio::time::Instant;

const RUNS: usize = 21;
const MESSAGES: u64 = 20_000;
const SIZE: usize = 1 << 10;
const LIMIT: Duration = Duration::from_secs(60);

/// The tag of messages that are counted, and the tag of messages that are answered.
const COUNTED: u64 = 0;
const ANSWERED: u64 = 1;

async fn start(protocols: Vec<Protocol>) -> (Server, Comm) {
    let key = SecretKey::random(&mut rand::rng());
    let identity = Secp256k1Identity::new(SecretKey::random(&mut rand::rng()));
    let mut builder = Server::builder(key).listen("127.0.0.1:0".parse().unwrap());
    for protocol in protocols {
        builder = builder.protocol(protocol);
    }
    let started = Comm::start(Config::default(), identity, builder).await;
    started.unwrap()
}

/// Acknowledges all messages that request an acknowledgement.
fn answer(comm: &Comm) {
    let patient = SubscriptionConfig::default().with_overflow(Overflow::Wait(LIMIT));
    let mut inbox = comm.accept_with(patient, |_| true);
    tokio::spawn(async move {
        while let Some(message) = inbox.next().await {
            if message.wants_ack() {
                message.ack(Ok(())).await.unwrap();
            }
        }
    });
}

fn raw(lend: Option<mpsc::Sender<ProtocolConn>>) -> Protocol {
    Protocol::builder("load", 1, 2).run(move |peer, mut conn| {
        let lend = lend.clone();
        async move {
            if let Some(lend) = lend {
                lend.send(conn)
                    .await
                    .map_err(peermux::ProtocolError::other)?;
                peer.ending().await;
                return Ok(());
            }
            while let Some(message) = conn.recv().await? {
                if message.code == ANSWERED {
                    conn.send(&message).await?;
                }
            }
            Ok(())
        }
    })
}

async fn send_raw(conn: &mut ProtocolConn) -> Duration {
    let payload = vec![7; SIZE];
    let started = Instant::now();
    for _ in 1..MESSAGES {
        let message = Message::new(COUNTED, payload.clone());
        conn.send(&message).await.unwrap();
    }
    let last = Message::new(ANSWERED, payload);
    conn.send(&last).await.unwrap();
    conn.recv().await.unwrap().unwrap();
    started.elapsed()
}

async fn send_through(comm: &Comm, to: &RemotePeer) -> Duration {
    let message = Envelope::new(COUNTED, vec![7; SIZE]);
    let started = Instant::now();
    for _ in 1..MESSAGES {
        drop(comm.send_waiting(&message, to, LIMIT).await.unwrap());
    }
    let policy = AckPolicy::new(1, LIMIT);
    let last = comm
        .send_with_ack(&message, policy, std::slice::from_ref(to))
        .await;
    assert_eq!(last.unwrap().ack_count(), 1);
    started.elapsed()
}

/// Returns minimum, median and maximum.
fn spread(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    [all[0], all[all.len() / 2], all[all.len() - 1]]
}

async fn sending() {
    let (lend, mut lent) = mpsc::channel(1);
    let (_near, comm) = start(vec![raw(Some(lend))]).await;
    let (far, remote) = start(vec![raw(None)]).await;
    answer(&remote);
    let to = RemotePeer::new(far.enode(), remote.id());
    send_through(&comm, &to).await;
    let mut conn = lent.recv().await.unwrap();
    send_raw(&mut conn).await;
    let (mut raws, mut comms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let each = |took: Duration| took.as_nanos() as f64 / MESSAGES as f64;
    for _ in 0..RUNS {
        let raw = each(send_raw(&mut conn).await);
        let through = each(send_through(&comm, &to).await);
        raws.push(raw);
        comms.push(through);
        ratios.push(through / raw);
    }
    let show = |name, all| {
        let [least, middle, most] = spread(all);
        println!("{name:12} {middle:6.0} ns each, {least:.0} to {most:.0}");
        middle
    };
    let ratio = show("raw", raws).recip() * show("through comm", comms);
    let [least, _, most] = spread(ratios);
    println!("ratio        {ratio:6.2}, single runs {least:.2} to {most:.2}");
}

async fn acknowledging() {
    let (_server, comm) = start(vec![]).await;
    let mut nodes = Vec::new();
    for _ in 0..20 {
        let (server, remote) = start(vec![]).await;
        answer(&remote);
        nodes.push((RemotePeer::new(server.enode(), remote.id()), server, remote));
    }
    let peers: Vec<_> = nodes.iter().map(|(peer, ..)| peer.clone()).collect();
    let policy = AckPolicy::new(20, LIMIT);
    let message = Envelope::new(COUNTED, vec![7; SIZE]);
    comm.send_with_ack(&message, policy, &peers).await.unwrap();
    let calls = (0..1000).map(|_| async {
        let started = Instant::now();
        let result = comm.send_with_ack(&message, policy, &peers).await.unwrap();
        (started.elapsed(), result.ack_count())
    });
    let results = join_all(calls).await;
    let answered: usize = results.iter().map(|(_, acks)| acks).sum();
    let mut took: Vec<_> = results.into_iter().map(|(took, _)| took).collect();
    took.sort();
    println!(
        "1000 × 20    {answered} of 20000 acknowledged; p50 {:.1?}, p99 {:.1?}",
        took[500], took[990]
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(sending());
    runtime.block_on(acknowledging());
}

//! The cost of passing a message from its frame to its handler, without the network.
//!
//! `cargo bench --bench dispatch`
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to, and its macros write undocumented items"
)]

use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use peermux::{Message, Protocol, ProtocolConn, testing};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;

const SIZES: [usize; 3] = [16, 1 << 10, 32 << 10];

/// The number of messages queued before the receiver reads them. A protocol's bounds allow this
/// many.
const BURST: u64 = 64;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sends `count` messages in bursts, and receives each burst.
async fn bursts(from: &ProtocolConn, to: &mut ProtocolConn, size: usize, count: u64) -> Duration {
    let message = Message::new(0, Bytes::from(vec![0x5a; size]));
    let started = Instant::now();
    let mut left = count;
    while left > 0 {
        let burst = left.min(BURST);
        for _ in 0..burst {
            from.send(&message).await.unwrap();
        }
        for _ in 0..burst {
            to.recv().await.unwrap().unwrap();
        }
        left -= burst;
    }
    started.elapsed()
}

/// Measures the bounded queue without frames and routing.
fn queue(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("dispatch/queue");
    for size in SIZES {
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            let (near, mut far) = ProtocolConn::pair();
            b.iter_custom(|count| runtime.block_on(bursts(&near, &mut far, size, count)));
        });
    }
    group.finish();
}

/// Returns a protocol whose channel the benchmark drives.
fn lent(name: &str) -> (Protocol, mpsc::Receiver<ProtocolConn>) {
    let (lend, lent) = mpsc::channel(1);
    let protocol = Protocol::builder(name, 1, 8).run(move |peer, conn| {
        let lend = lend.clone();
        async move {
            // The benchmark receives only the channel of the last protocol. If the receivers are
            // dropped before this send, `_kept` holds the channel.
            let _kept = lend.try_send(conn);
            peer.ending().await;
            Ok(())
        }
    });
    (protocol, lent)
}

/// Measures the whole path between two handlers on one thread, over an in-memory stream. It
/// includes sealing, opening, routing among several protocols, and the queue.
fn peers(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("dispatch/peers");
    for protocols in [1, 16] {
        let (near, mut far) = runtime.block_on(connected(protocols));
        for size in SIZES {
            let id = BenchmarkId::new(format!("{protocols}_protocols"), size);
            group.bench_function(id, |b| {
                b.iter_custom(|count| runtime.block_on(bursts(&near, &mut far, size, count)));
            });
        }
    }
    group.finish();
}

async fn connected(protocols: usize) -> (ProtocolConn, ProtocolConn) {
    let side =
        || -> (Vec<Protocol>, Vec<_>) { (0..protocols).map(|n| lent(&format!("p{n:02}"))).unzip() };
    let ((left, mut lefts), (right, mut rights)) = (side(), side());
    testing::connect(left, right).await.unwrap();
    let last = protocols - 1;
    (
        lefts[last].recv().await.unwrap(),
        rights[last].recv().await.unwrap(),
    )
}

criterion_group!(benches, queue, peers);
criterion_main!(benches);

//! Messages between two nodes over loopback TCP, in one process on two threads.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Mutex;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peermux::{Message, Protocol, ProtocolConn, SecretKey, Server};
use rand::Rng;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;

const SIZES: [usize; 5] = [16, 256, 1 << 10, 32 << 10, 1 << 20];

/// Messages of code 0 are counted, those of code 1 are returned to the sender.
const COUNTED: u64 = 0;
const RETURNED: u64 = 1;

/// Two connected nodes. The benchmark drives the channel of the near one.
struct Link {
    _nodes: [Server; 2],
    conn: ProtocolConn,
}

async fn serve(mut conn: ProtocolConn) -> Result<(), peermux::ProtocolError> {
    while let Some(message) = conn.recv().await? {
        if message.code == RETURNED {
            conn.send(&message).await?;
        }
    }
    Ok(())
}

async fn link() -> Link {
    let far = Protocol::builder("load", 1, 2).run(|_, conn| serve(conn));
    let (lend, mut lent) = mpsc::channel(1);
    let near = Protocol::builder("load", 1, 2).run(move |peer, conn| {
        let lend = lend.clone();
        async move {
            lend.send(conn)
                .await
                .map_err(peermux::ProtocolError::other)?;
            peer.ending().await;
            Ok(())
        }
    });
    let node = |protocol| {
        Server::builder(SecretKey::random(&mut rand::rng()))
            .listen("127.0.0.1:0".parse().unwrap())
            .protocol(protocol)
    };
    let (near, far) = (
        node(near).start().await.unwrap(),
        node(far).start().await.unwrap(),
    );
    near.dial(&far.enode()).await.unwrap();
    Link {
        conn: lent.recv().await.unwrap(),
        _nodes: [near, far],
    }
}

fn noise(size: usize) -> Vec<u8> {
    let mut payload = vec![0; size];
    rand::rng().fill_bytes(&mut payload);
    payload
}

/// Sends `count` messages one way. The far node returns the last one once it has received all.
async fn flood(link: &mut Link, size: usize, count: u64) -> Duration {
    let payload = bytes::Bytes::from(noise(size));
    let started = Instant::now();
    for number in 0..count {
        let code = if number + 1 == count {
            RETURNED
        } else {
            COUNTED
        };
        link.conn
            .send(&Message::new(code, payload.clone()))
            .await
            .unwrap();
    }
    link.conn.recv().await.unwrap().unwrap();
    started.elapsed()
}

async fn echo(link: &mut Link, size: usize, count: u64) -> Duration {
    let message = Message::new(RETURNED, noise(size));
    let started = Instant::now();
    for _ in 0..count {
        link.conn.send(&message).await.unwrap();
        link.conn.recv().await.unwrap().unwrap();
    }
    started.elapsed()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn loopback(c: &mut Criterion) {
    let runtime = runtime();
    let link = Mutex::new(runtime.block_on(link()));
    let on_worker = |work: &dyn Fn(&mut Link) -> Duration| work(&mut link.lock().unwrap());

    let mut group = c.benchmark_group("loopback/one_way");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_custom(|count| on_worker(&|link| runtime.block_on(flood(link, size, count))));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("loopback/echo");
    for size in SIZES {
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_custom(|count| on_worker(&|link| runtime.block_on(echo(link, size, count))));
        });
    }
    group.finish();
}

criterion_group!(benches, loopback);
criterion_main!(benches);

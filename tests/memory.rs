//! What a connection holds on the heap. In a binary of its own, since the allocator counts for all.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

use std::alloc::System;
use std::time::Duration;

use bytes::Bytes;
use peermux::{Message, Protocol, ProtocolConn, SecretKey, Server};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::mpsc;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are allocated now.
fn live() -> usize {
    let stats = COUNTED.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// A protocol whose channel the test drives.
fn lent() -> (Protocol, mpsc::Receiver<ProtocolConn>) {
    let (lend, lent) = mpsc::channel(1);
    let protocol = Protocol::builder("a", 0, 1).run(move |peer, conn| {
        let lend = lend.clone();
        async move {
            lend.try_send(conn).map_err(peermux::ProtocolError::other)?;
            peer.ending().await;
            Ok(())
        }
    });
    (protocol, lent)
}

async fn burst(from: &ProtocolConn, to: &mut ProtocolConn, size: usize, count: usize) {
    let message = Message::new(0, Bytes::from(vec![0x5a; size]));
    for _ in 0..count {
        from.send(&message).await.unwrap();
    }
    for _ in 0..count {
        to.recv().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_leaves_no_memory_behind() {
    let ((left, mut lefts), (right, mut rights)) = (lent(), lent());
    // A pipe that keeps next to nothing itself.
    let (dials, accepts) = tokio::io::duplex(1 << 10);
    let node = |protocol| Server::builder(SecretKey::generate()).protocol(protocol);
    let (left, right) = (
        node(left).start().await.unwrap(),
        node(right).start().await.unwrap(),
    );
    let remote = *right.enode().public_key();
    let connected = tokio::join!(left.dial_over(dials, &remote), right.accept_over(accepts));
    let _peers = (connected.0.unwrap(), connected.1.unwrap());
    let (mut near, mut far) = (lefts.recv().await.unwrap(), rights.recv().await.unwrap());
    let idle = Duration::from_secs(12);
    tokio::time::sleep(idle).await;
    let before = live();
    for (size, count) in [(1 << 20, 3), (100, 200)] {
        burst(&near, &mut far, size, count).await;
        burst(&far, &mut near, size, count).await;
    }
    let during = live();
    tokio::time::sleep(idle).await;
    let after = live();
    assert!(
        after <= before + (4 << 10),
        "{before} bytes before the burst, {during} right after it, {after} later"
    );
}

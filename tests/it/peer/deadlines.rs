//! How long a message may take to arrive, and a batch to be written.

use std::time::Duration;

use peermux::driver::PeerDriver;
use peermux::peer::{SlowTransfer, TransferLimit};
use peermux::rlpx::MAX_PAYLOAD;
use peermux::testing::{Scripted, Settings, establish};
use peermux::{
    DisconnectReason, Message, Peer, PeerConfig, PeerError, Protocol, SecretKey, Server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::{idle, mirror, outcome, peer, protocol};

const SECOND: Duration = Duration::from_secs(1);

/// The rate of the link: 4 Mbit/s, in bytes per second.
const SLOW: u64 = 500_000;

/// Returns bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Returns a stream with a limited rate in each direction.
fn slow_link(rate: u64) -> (DuplexStream, DuplexStream) {
    let ((near, near_far), (far, far_near)) = (duplex(16 << 10), duplex(16 << 10));
    let ((near_read, near_write), (far_read, far_write)) = (split(near_far), split(far_near));
    tokio::spawn(carry(near_read, far_write, rate));
    tokio::spawn(carry(far_read, near_write, rate));
    (near, far)
}

async fn carry(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, rate: u64) {
    let mut buffer = vec![0; 16 << 10];
    let mut free = Instant::now();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        free = free.max(Instant::now()) + Duration::from_nanos(read as u64 * 1_000_000_000 / rate);
        sleep_until(free).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Sends one message of this size, and reports the size of the received one.
fn exchanges(size: usize, received: mpsc::Sender<usize>) -> Protocol {
    protocol(1).run(move |_, mut conn| {
        let received = received.clone();
        async move {
            if size > 0 {
                conn.send(&Message::new(0, noise(size))).await?;
            }
            while let Some(message) = conn.recv().await? {
                let _ = received.send(message.size()).await;
            }
            Ok(())
        }
    })
}

/// Exchanges the largest messages over a slow link; returns how long they took.
async fn largest_over_a_slow_link(sizes: [usize; 2]) -> Duration {
    let (report, mut received) = mpsc::channel(2);
    let (near, far) = slow_link(SLOW);
    let node = |size| {
        Server::builder(SecretKey::generate())
            .protocol(exchanges(size, report.clone()))
            .start()
    };
    let (dials, accepts) = (node(sizes[0]).await.unwrap(), node(sizes[1]).await.unwrap());
    let remote = *accepts.enode().public_key();
    let (left, right) = tokio::join!(dials.dial_over(near, &remote), accepts.accept_over(far));
    let (left, right) = (left.expect("connects"), right.expect("connects"));
    let started = Instant::now();
    for size in sizes.into_iter().filter(|size| *size > 0) {
        tokio::select! {
            arrived = received.recv() => assert_eq!(arrived, Some(size)),
            outcome = left.ended() => panic!("{outcome:?}"),
            outcome = right.ended() => panic!("{outcome:?}"),
        }
    }
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_largest_message_crosses_a_link_of_4_mbits_to_a_silent_remote() {
    let took = largest_over_a_slow_link([MAX_PAYLOAD, 0]).await.as_secs();
    assert!((33..36).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn the_largest_message_crosses_a_link_of_4_mbits_in_both_directions_at_once() {
    let took = largest_over_a_slow_link([MAX_PAYLOAD; 2]).await.as_secs();
    assert!((33..36).contains(&took), "{took}");
}

/// Returns a peer that writes 1 MiB, and the raw stream of its remote.
async fn writes_a_mebibyte() -> (Peer, impl AsyncReadExt + Unpin) {
    let sends = protocol(1).run(|peer, conn| async move {
        conn.send(&Message::new(0, noise(1 << 20))).await?;
        peer.ending().await;
        Ok(())
    });
    let protocols = [sends];
    let (ours, theirs) = establish(&protocols, &protocols).await.expect("connects");
    let driver = PeerDriver::new(ours, &protocols, Default::default()).expect("fits");
    let peer = driver.peer().clone();
    tokio::spawn(driver.run());
    (peer, theirs.into_framed().into_inner())
}

#[tokio::test(start_paused = true)]
async fn a_remote_that_reads_a_byte_every_ten_seconds_has_a_deadline_by_the_size_of_the_write() {
    let (peer, mut remote) = writes_a_mebibyte().await;
    while peer.outcome().is_none() {
        sleep(10 * SECOND).await;
        let _ = remote.read_u8().await;
    }
    let outcome = outcome(&peer).await;
    let PeerError::SlowWrite(slow) = outcome.error else {
        panic!("{outcome:?}")
    };
    // The limit is 20 s, plus a second for each 64 KiB.
    assert_eq!(slow.limit, TransferLimit::Total);
    assert_eq!(slow.waited.as_secs(), 36);
    // After a failed write, the peer waits another second for the remote's Disconnect.
    assert_eq!(outcome.lifetime.as_secs(), 37);
    let passed = slow.done > 64 << 10 && slow.done < slow.size;
    assert!(passed && slow.size > 1 << 20, "{slow:?}");
}

async fn slow_message(peer: &Peer) -> SlowTransfer {
    match outcome(peer).await.error {
        PeerError::SlowMessage(slow) => slow,
        ref other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_arrives_at_a_byte_every_ten_seconds_has_a_deadline_by_its_size() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let frame = remote.seal(16, &noise(1 << 20));
    let (head, body) = frame.split_at(1000);
    remote.send_bytes(head).await;
    let started = Instant::now();
    for byte in body {
        tokio::select! {
            () = sleep(10 * SECOND) => remote.send_bytes(&[*byte]).await,
            () = peer.ending() => break,
        };
    }
    assert_eq!(started.elapsed().as_secs(), 30 + 16);
    let reason = remote.disconnected().await;
    assert_eq!(reason, Some(DisconnectReason::READ_TIMEOUT));
    drop(remote);
    let slow = slow_message(&peer).await;
    assert_eq!((slow.limit, slow.done), (TransferLimit::Total, 1004));
    assert_eq!((slow.waited.as_secs(), slow.size), (46, frame.len()));
}

/// Sends a part of a message. If `whole_first`, sends a whole message before it.
async fn stops_within_a_message(remote: &mut Scripted, whole_first: bool) {
    let mut bytes = Vec::new();
    if whole_first {
        bytes.extend_from_slice(&remote.seal(16, &[0xc0]));
    }
    bytes.extend_from_slice(&remote.seal(16, &noise(1000))[..500]);
    remote.send_bytes(&bytes).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stops_half_way_ends_after_20_seconds_wherever_it_began() {
    for whole_first in [false, true] {
        let (peer, mut remote) = peer(idle("a", 1)).await;
        stops_within_a_message(&mut remote, whole_first).await;
        let started = Instant::now();
        peer.ending().await;
        assert_eq!(started.elapsed().as_secs(), 20);
        drop(remote);
        let slow = slow_message(&peer).await;
        assert_eq!((slow.limit, slow.done), (TransferLimit::Progress, 500));
    }
}

#[tokio::test(start_paused = true)]
async fn times_of_any_length_can_be_configured() {
    let config = PeerConfig::default()
        .with_message_timeout(Duration::MAX)
        .with_write_timeout(Duration::MAX)
        .with_progress_timeout(Duration::MAX)
        .with_ping_interval(Duration::MAX)
        .with_liveness_timeout(Duration::MAX)
        .with_stall_limit(Duration::MAX)
        .with_grace_period(Duration::MAX)
        .with_linger(Duration::MAX);
    let settings = Settings::from(mirror("b")).with_config(config);
    let (peer, mut remote) = peer(settings).await;
    let frame = remote.seal(16, &noise(200_000));
    let (head, rest) = frame.split_at(100_000);
    remote.send_bytes(head).await;
    sleep(1_000_000 * SECOND).await;
    remote.send_bytes(rest).await;
    // The answer does not fit into the stream at once.
    sleep(1_000_000 * SECOND).await;
    assert_eq!(remote.expect().await.payload.len(), 200_000);
    peer.disconnect(DisconnectReason::REQUESTED);
    let reason = remote.disconnected().await;
    assert_eq!(reason, Some(DisconnectReason::REQUESTED));
    drop(remote);
    assert!(matches!(outcome(&peer).await.error, PeerError::Local(_)));
}

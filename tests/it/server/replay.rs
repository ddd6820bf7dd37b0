//! A seed makes runs reproducible.

use std::sync::{Arc, Mutex};

use peermux::connmgr::ConnectError as RawError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::time::Instant;

use super::*;

type Log = Arc<Mutex<Vec<u8>>>;

/// Forwards all bytes of a stream and records them.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, log: Log) {
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        log.lock().unwrap().extend_from_slice(&bytes[..count]);
        to.write_all(&bytes[..count]).await.unwrap();
    }
}

/// The behaviour of two servers with one seed.
#[derive(Debug, PartialEq)]
struct Run {
    /// The bytes that each side sent until both were connected.
    sent: [Vec<u8>; 2],
    /// The times of the dials of an unreachable node, since the start.
    dials: Vec<Duration>,
}

async fn run(seed: u64) -> Run {
    let keys = [1, 2].map(|byte| SecretKey::from_bytes(&[byte; 32]).unwrap());
    let [ours, theirs] = keys;
    let (dialer, mut script) = dial_script();
    let builder = Server::builder(ours).dialer(dialer).seed(seed);
    let server = builder.protocol(idle("test")).start().await.unwrap();
    let builder = Server::builder(theirs).seed(!seed);
    let remote = builder.protocol(idle("test")).start().await.unwrap();

    let logs = [Log::default(), Log::default()];
    let [sent, answered] = logs.clone();
    let node = at(&remote, &public(1));
    let (peer, ()) = tokio::join!(server.dial(&node), async {
        let (from, to) = split(next_dial(&mut script).await.succeed());
        let (near, far) = duplex(4096);
        let (far_from, far_to) = split(far);
        tokio::spawn(pass(from, far_to, sent));
        tokio::spawn(pass(far_from, to, answered));
        let accepted = remote.clone();
        tokio::spawn(async move { accepted.accept_over(near).await });
    });
    let _peer = peer.unwrap();
    let sent = logs.map(|log| log.lock().unwrap().clone());

    let nobody = Enode::new(
        SecretKey::from_bytes(&[3; 32]).unwrap().public_key(),
        public(2).parse().unwrap(),
    );
    let start = Instant::now();
    server.add_static(nobody).await.unwrap();
    let mut dials = Vec::new();
    for _ in 0..5 {
        next_dial(&mut script).await.fail(RawError::Refused);
        dials.push(start.elapsed());
    }
    Run { sent, dials }
}

#[tokio::test(start_paused = true)]
async fn two_runs_with_one_seed_are_identical_and_with_another_seed_differ() {
    let (first, again, other) = (run(7).await, run(7).await, run(8).await);
    assert_eq!(first, again);
    for (one, another) in first.sent.iter().zip(&other.sent) {
        assert!(one.len() > 300 && one[..300] != another[..300]);
    }
    assert_ne!(first.dials, other.dials);
}

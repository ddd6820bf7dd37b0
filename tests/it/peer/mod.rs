//! A running peer against a scripted remote, in virtual time.

mod backpressure;
mod bounds;
mod deadlines;
mod ending;
mod liveness;
mod messages;
mod outcomes;
mod quotas;
mod recording;
mod writing;

use peermux::testing::{Scripted, Settings};
use peermux::{Capability, Peer, PeerOutcome, Protocol, ProtocolBuilder};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

/// The first message id of the only protocol.
const OFFSET: u64 = 16;

/// Returns a protocol "a/0" with this many codes.
fn protocol(length: u64) -> ProtocolBuilder {
    Protocol::builder("a", 0, length)
}

/// Returns bytes that Snappy does not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    StdRng::seed_from_u64(1).fill_bytes(&mut noise);
    noise
}

/// A protocol that does nothing until the connection ends.
fn idle(name: &str, length: u64) -> Protocol {
    Protocol::builder(name, 0, length).run(|peer, conn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    })
}

/// A protocol of one code that answers each message with itself.
fn mirror(name: &str) -> Protocol {
    Protocol::builder(name, 0, 1).run(|_, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            conn.send(&message).await?;
        }
        Ok(())
    })
}

/// Returns a peer with these protocols, and its remote, which announces all of them.
async fn peer(settings: impl Into<Settings>) -> (Peer, Scripted) {
    let settings = settings.into();
    let capabilities: Vec<Capability> = settings
        .protocols()
        .iter()
        .map(|protocol| protocol.capability().clone())
        .collect();
    Scripted::remote_of(settings, &capabilities)
        .await
        .expect("connects")
}

/// Returns the outcome of a peer, which must end within 120 s of virtual time.
async fn outcome(peer: &Peer) -> Arc<PeerOutcome> {
    let ended = tokio::time::timeout(Duration::from_secs(120), peer.ended()).await;
    ended
        .expect("the peer does not end")
        .expect("its driver ran to the end")
}

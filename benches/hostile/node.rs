//! The role of the node.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use peermux::channel::MemoryLimits;
use peermux::comm::{Comm, ReceivedMessage, Secp256k1Identity, Subscription};
use peermux::{Protocol, ProtocolConn, SecretKey, Server};
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::echo::{self, Echo};
use peermux_protocols::gossip::{self, Gossip};
use tokio::time::sleep;

use crate::certificates::trusted;
use crate::messages::{HONEST, TALK};
use crate::pin::pin;
use crate::proof::Both;
use crate::worker::{commands, tell};
use crate::{COUNTED, NODE, machine};

/// The memory that all peers together may hold, in bytes.
pub(crate) const BUDGET: usize = 128 << 20;

/// The size of the buffers that are kept for the next written messages, in bytes.
const SPARE: usize = 4 * (2 << 20);

/// How long the node remembers addresses, which takes memory. This is shorter than the time to
/// settle after an attack.
const THROTTLE: Duration = Duration::from_secs(5);

/// The ready-made protocols' maximum message size for strangers, in bytes. It is set here because
/// loopback addresses do not count as strangers by default.
pub(crate) const FOR_STRANGERS: usize = 64 << 10;

/// The maximum number of concurrent set-ups.
pub(crate) const PENDING: usize = 50;

/// The memory that gossip may keep, in bytes, and for how long. This time is also shorter than the
/// time to settle after an attack.
const GOSSIP: usize = 16 << 20;
const EXPIRY: Duration = Duration::from_secs(9);

/// The memory that subscriptions to comm may hold, in bytes. One is gossip's, the other is that of
/// this file.
const SUBSCRIPTIONS: usize = 2 * (4 << 20);

/// Memory outside the budget of the peers, in bytes.
pub(crate) const BESIDE: usize = SPARE + GOSSIP + SUBSCRIPTIONS;

/// How long the node takes to handle each message of its subscription.
const TAKES: Duration = Duration::from_millis(1);

/// The number of honest messages received.
static HEARD: AtomicU64 = AtomicU64::new(0);

/// The peak of allocated bytes, as seen by frequent sampling.
static PEAK: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn run(seats: usize) {
    pin(NODE);
    std::thread::spawn(|| {
        loop {
            PEAK.fetch_max(live(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    serve(seats);
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn serve(seats: usize) {
    let unread = Protocol::builder("unread", 1, 1).run(|peer, conn: ProtocolConn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    });
    let limits = MemoryLimits::default().with_per_node(BUDGET);
    // Loopback addresses must count as strangers here, as other addresses do.
    let builder = Server::builder(SecretKey::generate())
        .listen("127.0.0.1:0".parse().expect("an address"))
        .configure(|config| {
            config
                .with_max_peers(seats)
                .with_max_pending(PENDING)
                .with_memory(limits)
                .with_exempt_local(false)
                .with_throttle(THROTTLE)
        })
        .protocol(Protocol::new(Bench::new(
            bench::Config::default().with_max_size(FOR_STRANGERS),
        )))
        .protocol(Protocol::new(Echo::new(
            echo::Config::default().with_max_size(FOR_STRANGERS),
        )))
        .protocol(unread);
    let identity = Both {
        keys: Secp256k1Identity::new(SecretKey::generate()),
        certificates: trusted(),
    };
    let (server, comm) = Comm::start(Default::default(), identity, builder)
        .await
        .expect("a free port");
    let _gossip = Gossip::start(
        comm.clone(),
        gossip::Config::default()
            .with_max_bytes(GOSSIP)
            .with_expiry(EXPIRY),
    );
    tokio::spawn(hear(comm.accept(|message| message.envelope().tag == TALK)));
    let mut unread = Vec::new();
    tell(&server.enode().to_string());
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        // Nothing else runs in this process's main task, so the blocking read does no harm.
        let numbers = match words.as_slice() {
            ["live"] => vec![live() as f64],
            ["peak"] => vec![PEAK.load(Ordering::Relaxed) as f64],
            ["reset"] => {
                PEAK.store(live(), Ordering::Relaxed);
                HEARD.store(0, Ordering::Relaxed);
                machine::forget_peak_resident();
                vec![]
            }
            ["settle", seconds] => {
                sleep(Duration::from_secs(seconds.parse().expect("a number"))).await;
                vec![]
            }
            // These subscribers never read.
            ["subscribe"] => {
                unread.push((server.subscribe(), server.subscribe_connections()));
                vec![]
            }
            ["heard"] => vec![HEARD.load(Ordering::Relaxed) as f64],
            ["trust", ids @ ..] => {
                for id in ids {
                    server.trust(id.parse().expect("a node id"));
                }
                vec![]
            }
            ["peers"] => vec![server.peer_count() as f64],
            other => panic!("not a command of a node: {other:?}"),
        };
        let numbers: Vec<_> = numbers.iter().map(f64::to_string).collect();
        tell(&numbers.join(" "));
    }
}

/// Reads as slowly as a subscriber that has work to do for each message.
async fn hear(mut subscription: Subscription<ReceivedMessage>) {
    while let Some(message) = subscription.next().await {
        let honest = message.envelope().nonce == HONEST;
        HEARD.fetch_add(honest.into(), Ordering::Relaxed);
        sleep(TAKES).await;
    }
}

fn live() -> usize {
    let stats = COUNTED.stats();
    stats
        .bytes_allocated
        .saturating_sub(stats.bytes_deallocated)
}

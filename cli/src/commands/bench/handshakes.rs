//! Measures full handshakes, one after the other or many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peermux::{DisconnectReason, Enode, SecretKey};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::cpu::Cpu;
use super::report::HandshakeReport;
use super::so_far::SoFar;
use super::{Args, Measurement};
use crate::explain::Trouble;
use crate::failure::Failure;
use crate::node;
use crate::output::Output;
use crate::progress::Progress;

/// The time limit of each step of a handshake.
const STEP: Duration = Duration::from_secs(10);

/// The maximum number of keys.
///
/// By the time a key is used again, the node has long dropped the key's first connection.
const MAX_KEYS: u64 = 1 << 16;

/// The counters of handshakes.
#[derive(Debug, Default)]
struct Counters {
    begun: AtomicU64,
    done: AtomicU64,
}

pub(super) async fn run(
    args: &Args,
    target: &Enode,
    interrupted: &CancellationToken,
    out: &Output,
) -> Result<Measurement, Failure> {
    let counters = Arc::new(Counters::default());
    // A node accepts no second connection with the same key. Making keys is not measured, because
    // real nodes make theirs once.
    let keys: Arc<[SecretKey]> = (0..args.count.min(MAX_KEYS)).map(|_| new_key()).collect();
    let (started, cpu) = (Instant::now(), Cpu::now());
    let connecting = connect_all(args, target, &keys, &counters);
    tokio::pin!(connecting);
    let so_far = || {
        let done = counters.done.load(Ordering::Relaxed);
        SoFar::of(args, done, started.elapsed())
    };
    let interrupted = async {
        tokio::select! {
            // Check the result first: if it is ready, an interrupt no longer matters.
            biased;
            result = &mut connecting => result.map(|()| None),
            () = interrupted.cancelled() => Ok(Some(so_far())),
        }
    };
    let progress = Progress::start(out.is_json());
    let interrupted = progress.during(interrupted, || so_far().progress()).await?;
    if let Some(so_far) = interrupted {
        // Begin no more handshakes. Those under way still end with a Disconnect.
        counters.begun.store(args.count, Ordering::Relaxed);
        return match timeout(node::SHUTDOWN, connecting).await {
            Ok(Err(failure)) => Err(failure),
            Ok(Ok(())) | Err(_) => Ok(Measurement::Interrupted(Some(so_far))),
        };
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu.elapsed());
    out.tell(&HandshakeReport {
        mode: args.mode,
        count: args.count,
        concurrency: args.concurrency,
        ok: true,
        seconds,
        handshakes_per_s: args.count as f64 / seconds.max(1e-9),
        cpu_seconds: cpu.map(|cpu| cpu.as_secs_f64()),
    })?;
    Ok(Measurement::Complete)
}

/// Makes a key, and computes its public key before the measurement.
///
/// A real node also has its public key before it connects.
fn new_key() -> SecretKey {
    let key = SecretKey::generate();
    key.public_key();
    key
}

/// Makes all handshakes, in `args.concurrency` tasks. The first failure ends all tasks.
async fn connect_all(
    args: &Args,
    target: &Enode,
    keys: &Arc<[SecretKey]>,
    counters: &Arc<Counters>,
) -> Result<(), Failure> {
    let (target, count) = (Arc::new(target.clone()), args.count);
    let mut tasks: JoinSet<Result<(), Failure>> = JoinSet::new();
    for _ in 0..args.concurrency {
        let (keys, counters) = (Arc::clone(keys), Arc::clone(counters));
        let target = Arc::clone(&target);
        tasks.spawn(async move {
            let begun = &counters.begun;
            let next = || Some(begun.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < count);
            while let Some(n) = next() {
                let key = &keys[n as usize % keys.len()];
                let (stream, addr) = node::connect(&target, STEP).await?;
                let established = node::set_up(stream, key, target.public_key(), STEP).await;
                let established = established.map_err(|error| Trouble::setting_up(addr, &error))?;
                established.refuse(DisconnectReason::CLIENT_QUITTING).await;
                counters.done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(Failure::because)??;
    }
    Ok(())
}

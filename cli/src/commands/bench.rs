//! `peermux bench`: throughput and round trips over `bench/1`, and handshakes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{ValueEnum, value_parser};
use peermux::{DisconnectReason, Enode, SecretKey, Server};
use peermux_protocols::bench::{Bench, Config, Measured};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::explain;
use crate::failure::Failure;
use crate::node;
use crate::output::Output;
use crate::signals::interrupted;

/// How long each step of a handshake may take.
const STEP: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The node to measure, as an enode URL; without one, a second node in this process
    enode: Option<Enode>,
    /// What to measure: sink sends, source asks for messages, echo makes round trips, handshake
    /// connects again and again
    #[arg(long)]
    mode: Mode,
    /// The size of each message
    #[arg(long, value_name = "BYTES", default_value_t = 1024,
        value_parser = value_parser!(u32).range(..=Config::MAX_SIZE as i64))]
    size: u32,
    /// How many messages, round trips or handshakes
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = value_parser!(u64).range(..=1 << 32))]
    count: u64,
    /// How many handshakes at once, each with a fresh key
    #[arg(long, value_name = "C", default_value_t = 1,
        value_parser = value_parser!(u16).range(1..=1024))]
    concurrency: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Sink,
    Source,
    Echo,
    Handshake,
}

/// A verified measurement of messages.
#[derive(Debug, Serialize)]
struct Report {
    mode: Mode,
    size: usize,
    count: u64,
    ok: bool,
    seconds: f64,
    msgs_per_s: f64,
    mb_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_us: Option<f64>,
}

impl Report {
    fn new(mode: Mode, measured: &Measured) -> Self {
        let percentile = |part| measured.percentile(part).map(|p| p.as_secs_f64() * 1e6);
        Self {
            mode,
            size: measured.size,
            count: measured.count,
            ok: true,
            seconds: measured.elapsed.as_secs_f64(),
            msgs_per_s: measured.messages_per_second(),
            mb_per_s: measured.megabytes_per_second(),
            p50_us: percentile(0.5),
            p99_us: percentile(0.99),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size,
            count,
            seconds,
            msgs_per_s,
            mb_per_s,
            ..
        } = self;
        let what = match self.mode {
            Mode::Sink => "messages sent",
            Mode::Source => "messages received",
            Mode::Echo | Mode::Handshake => "round trips",
        };
        write!(
            f,
            "{count} {what}, {size} bytes each, all verified: {seconds:.3} s, {msgs_per_s:.0}/s, {mb_per_s:.1} MB/s"
        )?;
        if let (Some(p50), Some(p99)) = (self.p50_us, self.p99_us) {
            write!(f, "; median {p50:.1} µs, 99 % within {p99:.1} µs")?;
        }
        Ok(())
    }
}

/// A measurement of full connects.
#[derive(Debug, Serialize)]
struct HandshakeReport {
    mode: Mode,
    count: u64,
    concurrency: u16,
    ok: bool,
    seconds: f64,
    handshakes_per_s: f64,
}

impl fmt::Display for HandshakeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            concurrency,
            seconds,
            handshakes_per_s,
            ..
        } = self;
        write!(
            f,
            "{count} handshakes, {concurrency} at once: {seconds:.3} s, {handshakes_per_s:.0}/s"
        )
    }
}

/// What is told to programs of a measurement that failed; people read standard error.
#[derive(Debug, Serialize)]
struct Failed {
    mode: Mode,
    size: u32,
    count: u64,
    ok: bool,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

pub(crate) async fn run(args: Args, key: SecretKey, out: Output) -> Result<(), Failure> {
    let own = match &args.enode {
        Some(_) => None,
        None => Some(second_node().await?),
    };
    let target = match (&args.enode, &own) {
        (Some(enode), _) => enode.clone(),
        (None, Some(server)) => server.enode(),
        (None, None) => return Err(Failure::because("there is no node to measure")),
    };
    let result = match args.mode {
        Mode::Handshake => handshakes(&args, &target, out).await,
        _ => messages(&args, key, &target, out).await,
    };
    if let Some(server) = own {
        node::shut_down(&server).await;
    }
    if matches!(result, Err(Failure::Failed(_))) && out.is_json() {
        let Args {
            mode, size, count, ..
        } = args;
        out.tell(&Failed {
            mode,
            size,
            count,
            ok: false,
        })?;
    }
    result
}

/// The node that is measured when no other is named.
async fn second_node() -> Result<Server, Failure> {
    Server::builder(SecretKey::random(&mut rand::rng()))
        .listen(([127, 0, 0, 1], 0).into())
        .max_peers(usize::from(u16::MAX))
        .max_pending(2048)
        .protocol(Bench::new(Config::default()))
        .start()
        .await
        .map_err(Failure::because)
}

async fn messages(args: &Args, key: SecretKey, target: &Enode, out: Output) -> Result<(), Failure> {
    let bench = Bench::new(Config::default());
    let builder = Server::builder(key).protocol(bench.clone());
    let server = builder.start().await.map_err(Failure::because)?;
    let measuring = async {
        let peer = server.dial(target).await;
        let peer = peer.map_err(|error| Failure::because(explain::dial_error(&error)))?;
        let client = bench.client(&peer).await.map_err(Failure::because)?;
        let (count, size) = (args.count, args.size as usize);
        let measured = match args.mode {
            Mode::Sink => client.sink(count, size).await,
            Mode::Source => client.source(count, size).await,
            Mode::Echo | Mode::Handshake => client.echo(count, size).await,
        };
        match measured {
            Ok(measured) => Ok(measured),
            Err(error) => Err(match peer.outcome() {
                Some(outcome) => Failure::because(format!("{error}: {}", outcome.error)),
                None => Failure::because(error),
            }),
        }
    };
    let result = or_interrupted(measuring).await;
    node::shut_down(&server).await;
    out.tell(&Report::new(args.mode, &result?))
}

async fn handshakes(args: &Args, target: &Enode, out: Output) -> Result<(), Failure> {
    let started = Instant::now();
    or_interrupted(connect_all(args, target)).await?;
    let seconds = started.elapsed().as_secs_f64();
    out.tell(&HandshakeReport {
        mode: args.mode,
        count: args.count,
        concurrency: args.concurrency,
        ok: true,
        seconds,
        handshakes_per_s: args.count as f64 / seconds.max(1e-9),
    })
}

/// Connects as often as asked for, in as many tasks; the first failure ends all of them.
async fn connect_all(args: &Args, target: &Enode) -> Result<(), Failure> {
    let addr = node::address_of(target).await?;
    let (remote, count) = (*target.public_key(), args.count);
    let begun = std::sync::Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..args.concurrency {
        let begun = std::sync::Arc::clone(&begun);
        tasks.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < count {
                // A node takes no second connection of the same key.
                let key = SecretKey::random(&mut rand::rng());
                let stream = node::connect(addr, STEP).await?;
                let established = node::set_up(stream, &key, &remote, STEP).await;
                let established = established
                    .map_err(|error| Failure::because(explain::setup_error(&addr, &error)))?;
                established.refuse(DisconnectReason::CLIENT_QUITTING).await;
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(Failure::because)??;
    }
    Ok(())
}

/// A measurement that is interrupted has failed.
async fn or_interrupted<R>(
    measuring: impl Future<Output = Result<R, Failure>>,
) -> Result<R, Failure> {
    tokio::select! {
        result = measuring => result,
        signal = interrupted() => {
            signal.map_err(Failure::because)?;
            Err(Failure::because("interrupted before the end of the measurement"))
        }
    }
}

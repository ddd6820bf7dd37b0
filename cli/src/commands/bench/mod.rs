//! `peermux bench`: measures throughput, round trips over `bench/1`, and handshakes.

mod cpu;
mod handshakes;
mod report;
mod so_far;

use std::sync::OnceLock;

use clap::{ValueEnum, value_parser};
use peermux::{Enode, Peer, SecretKey, Server};
use peermux_protocols::ClientError;
use peermux_protocols::bench::{Bench, Client, Config, Measured};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::explain::Trouble;
use crate::failure::Failure;
use crate::node;
use crate::output::Output;
use crate::progress::Progress;
use cpu::Cpu;
use report::{NoResult, Report};
use so_far::SoFar;

const EXAMPLES: &str = "\
Examples:
  peermux bench --mode sink
  peermux bench --mode echo --size 32 --count 100000
  peermux bench --mode handshake --count 1000 --concurrency 16
  peermux bench enode://…@127.0.0.1:30303 --mode source --size 65536

1 MB is 10^6 bytes of payload. The data are random, so that compression gains nothing. The CPU time is
that of this process, which runs both nodes if the second one is started here.

On a terminal a line shows the progress each second. Ctrl-C ends the measurement and prints what was
measured so far, which is not compared with the counters of the node.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The node to measure, as enode://KEY@HOST:PORT [default: a second node in this process]
    #[arg(value_parser = node::dialable)]
    enode: Option<Enode>,
    /// What to measure
    #[arg(long)]
    mode: Mode,
    /// The size of each message, in bytes, up to 16 MiB - 1 KiB
    #[arg(long, value_name = "BYTES", default_value_t = 1024,
        value_parser = value_parser!(u32).range(..=Config::MAX_SIZE as i64))]
    size: u32,
    /// The number of messages, round trips or handshakes
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = value_parser!(u64).range(..=1 << 32))]
    count: u64,
    /// The number of handshakes at once, each with a fresh key; for --mode handshake
    #[arg(long, value_name = "C", default_value_t = 1,
        value_parser = value_parser!(u16).range(1..=1024))]
    concurrency: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Send messages, and compare with the counters of the node
    Sink,
    /// Ask the node to send messages, and count them
    Source,
    /// Make round trips one after the other
    Echo,
    /// Connect, exchange Hello, disconnect, again and again
    Handshake,
}

impl Mode {
    /// Returns the name of the things that are counted.
    fn what(self) -> &'static str {
        match self {
            Self::Sink => "messages sent",
            Self::Source => "messages received",
            Self::Echo => "round trips",
            Self::Handshake => "handshakes",
        }
    }
}

pub(crate) async fn run(
    args: Args,
    key: SecretKey,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
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
        Mode::Handshake => handshakes::run(&args, &target, interrupted, out).await,
        _ => messages(&args, key, &target, interrupted, out).await,
    };
    if let Some(server) = own {
        node::shut_down(&server).await;
    }
    match result {
        Ok(Measurement::Complete) => Ok(()),
        Ok(Measurement::Interrupted(so_far)) => out.tell(&NoResult::interrupted(&args, so_far)),
        Err(failure @ (Failure::Failed(_) | Failure::Connection(_))) if out.is_json() => {
            out.tell(&NoResult::failed(&args, &failure))?;
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// How a measurement ended that did not fail.
enum Measurement {
    Complete,
    /// The progress, if the measurement had begun.
    Interrupted(Option<SoFar>),
}

/// Starts the node that is measured if the user names none.
async fn second_node() -> Result<Server, Failure> {
    Server::builder(SecretKey::generate())
        .listen(([127, 0, 0, 1], 0).into())
        .configure(|config| {
            config
                .with_max_peers(usize::from(u16::MAX))
                .with_max_pending(2048)
        })
        .protocol(Bench::new(Config::default()))
        .start()
        .await
        .map_err(Failure::because)
}

async fn messages(
    args: &Args,
    key: SecretKey,
    target: &Enode,
    interrupted: &CancellationToken,
    out: &Output,
) -> Result<Measurement, Failure> {
    let bench = Bench::new(Config::default());
    let builder = Server::builder(key).protocol(bench.clone());
    let server = builder.start().await.map_err(Failure::because)?;
    let begun: OnceLock<(Client, Instant)> = OnceLock::new();
    let so_far = || {
        let (client, started) = begun.get()?;
        Some(SoFar::of(args, client.done(), started.elapsed()))
    };
    let measuring = async {
        let peer = server.dial(target).await;
        let peer = peer.map_err(|error| Trouble::dialling(&error))?;
        let cpu = Cpu::now();
        match measure(args, &bench, &peer, &begun).await {
            Ok(measured) => Ok((measured, cpu.elapsed())),
            Err(error) => Err(why(error, &peer).await),
        }
    };
    let result = async {
        tokio::select! {
            // Check the result first: if it is ready, an interrupt no longer matters.
            biased;
            result = measuring => result.map(Ok),
            () = interrupted.cancelled() => Ok(Err(so_far())),
        }
    };
    let progress = || so_far().map_or_else(|| "connecting".to_owned(), |so_far| so_far.progress());
    let shown = Progress::start(out.is_json());
    let result = shown.during(result, progress).await;
    node::shut_down(&server).await;
    match result? {
        Ok((measured, cpu)) => {
            out.tell(&Report::new(args.mode, &measured, cpu))?;
            Ok(Measurement::Complete)
        }
        Err(so_far) => Ok(Measurement::Interrupted(so_far)),
    }
}

/// Measures. Stores the client and the start time in `begun`, for reports of the progress.
async fn measure(
    args: &Args,
    bench: &Bench,
    peer: &Peer,
    begun: &OnceLock<(Client, Instant)>,
) -> Result<Measured, ClientError> {
    let client = bench.client(peer).await?;
    let (client, _) = begun.get_or_init(|| (client, Instant::now()));
    let (count, size) = (args.count, args.size as usize);
    match args.mode {
        Mode::Sink => client.sink(count, size).await,
        Mode::Source => client.source(count, size).await,
        Mode::Echo | Mode::Handshake => client.echo(count, size).await,
    }
}

/// Returns why a measurement failed. If the connection ended, the reason is how it ended.
async fn why(error: ClientError, peer: &Peer) -> Failure {
    if error == ClientError::Ended
        && let Ok(Some(outcome)) = timeout(node::SHUTDOWN, peer.ended()).await
    {
        return Trouble::peer_ended(&outcome.error).into();
    }
    Failure::because(error)
}

//! `peermux dns sync`: reads a whole list.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peermux::NodeRecord;
use peermux::dns::{Client, Config, DnsResolver, Link, LookupError, Resolver, SyncedTree};
use peermux::setup::FailureInfo;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::future::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::dns_servers;
use crate::duration;
use crate::failure::Failure;
use crate::human;
use crate::output::Output;
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The list, as enrtree://KEY@NAME
    link: Link,
    /// A DNS server to ask; can be repeated [default: those of the system]
    #[arg(long = "dns-server", alias = "server", value_name = "IP[:PORT]", value_parser = dns_servers::server)]
    dns_servers: Vec<SocketAddr>,
    /// The number of names to look up in a second, after ten at once
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// The time limit
    #[arg(long, alias = "timeout", value_name = "TIME", default_value = "30m", value_parser = duration::within(duration::LIMIT))]
    seconds: Duration,
}

/// A line of the output.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// A node in the list.
    Listed { record: &'a NodeRecord },
    /// A link to another list.
    Link { link: &'a Link },
    /// An entry that could not be read.
    EntryFailed { name: &'a str, error: FailureInfo },
    Synced {
        domain: &'a str,
        seq: u64,
        nodes: usize,
        links: usize,
        failures: usize,
    },
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed { record } => record.fmt(f),
            Self::Link { link } => link.fmt(f),
            Self::EntryFailed { error, .. } => write!(f, "# {}", error.text),
            Self::Synced {
                domain,
                seq,
                nodes,
                links,
                failures,
            } => write!(
                f,
                "# {domain}, number {seq}: {nodes} nodes, {links} links, {failures} failures"
            ),
        }
    }
}

/// A resolver that counts the names whose lookup has ended.
struct Counting {
    resolver: DnsResolver,
    done: Arc<AtomicU64>,
}

impl Resolver for Counting {
    async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let texts = self.resolver.texts(name).await;
        self.done.fetch_add(1, Ordering::Relaxed);
        texts
    }
}

pub(super) async fn run(
    args: &Args,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let done = Arc::new(AtomicU64::new(0));
    let resolver = Counting {
        resolver: dns_servers::resolver(&args.dns_servers)?,
        done: Arc::clone(&done),
    };
    let config = Config::default()
        .with_entries_per_second(args.rate)
        .with_sync_timeout(args.seconds);
    let client = Client::builder(resolver).config(config).build();
    let client = client.map_err(Failure::because)?;
    // If the result is ready, an interrupt no longer matters.
    let reading = client.sync(&args.link).with_cancellation_token(interrupted);
    let (started, limit) = (Instant::now(), human::time(args.seconds));
    let progress = || {
        let elapsed = human::time(started.elapsed());
        let done = done.load(Ordering::Relaxed);
        format!("reading for {elapsed}, at most {limit}, names looked up: {done}")
    };
    let progress = Progress::start(out.is_json()).during(reading, progress);
    match progress.await.transpose().map_err(Failure::because)? {
        Some(synced) => tell(args, &synced, out),
        None => Ok(()),
    }
}

fn tell(args: &Args, synced: &SyncedTree, out: &Output) -> Result<(), Failure> {
    let failures = synced.failures();
    let nodes = synced.nodes().iter().map(|record| Line::Listed { record });
    let links = synced.links().iter().map(|link| Line::Link { link });
    let errors = synced.errors().iter().map(|error| Line::EntryFailed {
        name: error.name(),
        error: FailureInfo::of_text(error.to_string()),
    });
    let end = Line::Synced {
        domain: args.link.domain().as_str(),
        seq: synced.root().seq(),
        nodes: synced.nodes().len(),
        links: synced.links().len(),
        failures,
    };
    let lines = nodes.chain(links).chain(errors).chain([end]);
    out.tell_all(&lines.collect::<Vec<_>>())?;
    match failures {
        0 => Ok(()),
        _ => Err(Failure::because(format!(
            "the list is incomplete, failures: {failures}"
        ))),
    }
}

//! `peermux dns sync`: reads a whole list.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::Duration;

use peermux::NodeRecord;
use peermux::dns::{Client, Config, Link};
use serde::Serialize;

use crate::dns_servers;
use crate::duration;
use crate::failure::Failure;
use crate::output::Output;

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
    Node {
        record: &'a NodeRecord,
    },
    Link {
        link: &'a Link,
    },
    Failed {
        name: &'a str,
        error: String,
    },
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
            Self::Node { record } => record.fmt(f),
            Self::Link { link } => link.fmt(f),
            Self::Failed { error, .. } => write!(f, "# {error}"),
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

pub(super) async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let resolver = dns_servers::resolver(&args.dns_servers)?;
    let config = Config::default()
        .with_entries_per_second(args.rate)
        .with_sync_timeout(args.seconds);
    let client = Client::builder(resolver).config(config).build();
    let client = client.map_err(Failure::because)?;
    let synced = client.sync(&args.link).await;
    let synced = synced.map_err(Failure::because)?;
    let failures = synced.failures();
    let nodes = synced.nodes().iter().map(|record| Line::Node { record });
    let links = synced.links().iter().map(|link| Line::Link { link });
    let errors = synced.errors().iter().map(|error| Line::Failed {
        name: error.name(),
        error: error.to_string(),
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

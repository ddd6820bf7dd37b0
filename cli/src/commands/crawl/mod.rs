//! `peermux crawl`: finds the nodes of a network, and visits each.

mod addresses;
mod args;
mod driver;
mod ending;
mod files;
mod permitted;
mod picture;
mod plan;
mod progress;
mod report;
mod sources;
mod summary;
mod visit;
mod visited;

use std::cmp::Reverse;

use peermux::addrbook::{Clock, SystemClock};
use peermux::dns::Client;
use peermux::server::NodeDialer;
use peermux::{Node, SecretKey};
use peermux_cli::node_file::{KnownNode, NodesRead, Source, UnixTime};
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bootnodes;
use crate::dns_servers;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) use args::Args;
use args::Version;
use driver::Crawl;
use ending::Ending;
use files::Files;
use permitted::Permitted;
use plan::{Limits, Plan};
use sources::{Sources, Start};
use visit::Visitor;

/// The maximum number of bootnodes and nodes of a file from which discovery starts.
const SEEDS: usize = 256;

pub(crate) async fn run(
    args: Args,
    key: SecretKey,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    if args.discovery.contains(&Version::None) && args.discovery.len() > 1 {
        let why = "--discovery none cannot be combined with a version";
        return Err(Failure::Usage(why.to_owned()));
    }
    let args = args.with_network()?;
    let form = args.format.map(Into::into);
    let files = Files::new(args.out.clone(), form, args.picture.clone())?;
    let known = match &args.nodes {
        Some(path) => block_in_place(|| files::read(path, args.max_nodes()))?,
        None => NodesRead::default(),
    };
    let resolving = bootnodes::with_addresses(args.bootnodes.clone());
    let Some(bootnodes) = interrupted.run_until_cancelled(resolving).await else {
        return Ok(());
    };
    let permitted = Permitted::new(args.private_networks, &bootnodes);
    let clock = SystemClock::new();
    let start = start(&args, &key, permitted, seeds(&bootnodes, &known.nodes));
    let versions = start.versions();
    let (mut sources, news) = Sources::start(start, UnixTime::of(clock.now())).await?;
    if !args.lists.is_empty() {
        let resolver = dns_servers::resolver(&args.dns_servers)?;
        let client = Client::builder(resolver).build();
        sources.read_lists(&client.map_err(Failure::because)?, &args.lists, permitted);
    }
    let limits = Limits {
        nodes: args.max_nodes(),
        at_once: args.at_once.into(),
    };
    let own = key.public_key().node_id();
    let plan = Plan::new(own, limits, permitted, sources.v4().is_some());
    let started = Instant::now();
    let mut crawl = Crawl {
        plan: begun(plan, bootnodes, known, args.ask_refused),
        ending: Ending::new(&versions, args.lists.len(), started),
        news,
        v4: sources.v4().cloned(),
        files,
        out,
        clock,
        started,
        until: started + args.seconds,
    };
    let visitor = Visitor {
        key,
        permitted,
        limit: args.timeout,
        dialer: NodeDialer::default(),
        stop: CancellationToken::new(),
    };
    let walked = crawl.run(&visitor, interrupted).await;
    sources.stop().await;
    walked.and(crawl.conclude())
}

/// Returns what discovery starts with. Without a node or a list, no version of discovery runs.
fn start(args: &Args, key: &SecretKey, permitted: Permitted, seeds: Vec<Node>) -> Start {
    let somebody = !(seeds.is_empty() && args.lists.is_empty());
    let walks_by = |version| somebody && args.discovery.contains(&version);
    Start {
        key: key.clone(),
        permitted,
        seeds,
        v4: walks_by(Version::V4),
        #[cfg(feature = "discv5")]
        v5: walks_by(Version::V5),
    }
}

/// Adds all given nodes to a plan.
fn begun(mut plan: Plan, bootnodes: Vec<Node>, known: NodesRead, asks_refused: bool) -> Plan {
    for node in bootnodes {
        plan.found(node, Source::Bootnode, None);
    }
    plan.turn_away(known.left_out);
    for node in known.nodes {
        plan.resume(node, asks_refused);
    }
    plan
}

/// Returns the nodes from which discovery starts.
///
/// The bootnodes come first, then the nodes of a file, those with the latest answer first.
fn seeds(bootnodes: &[Node], known: &[KnownNode]) -> Vec<Node> {
    let mut known: Vec<_> = known.iter().collect();
    known.sort_by_key(|node| Reverse(node.last_seen));
    let known = known.into_iter().map(|node| match &node.record {
        Some(record) => Node::Record(record.clone()),
        None => Node::Enode(node.enode.clone()),
    });
    bootnodes.iter().cloned().chain(known).take(SEEDS).collect()
}

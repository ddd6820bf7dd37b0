//! `peermux resolve`: finds a node's newest record.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use peermux::discv4::{Contact, Discv4, Discv4Config, Discv4Error};
use peermux::node::Reach;
use peermux::{Node, NodeId, NodeRecord, SecretKey};
use peermux_cli::form;
use peermux_cli::request::Whom;
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::future::FutureExt;
use tokio_util::sync::CancellationToken;

use super::record::Shown;
use crate::bootnodes;
use crate::duration;
use crate::failure::Failure;
use crate::human;
use crate::networks::Network;
use crate::output::Output;
use crate::progress::Progress;
use crate::udp;

/// How long the search by one version may continue after the other has succeeded.
const MORE: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  peermux resolve enode://…@192.0.2.1:30303
  peermux resolve enr:… --bootnode enr:… --bootnode enode://…
  peermux resolve 5e2c…91 --network sepolia

A node whose address is given is asked for its record. Other nodes are asked too, starting from the
bootnodes. Discovery v5 starts from records, and can search for an id alone. On a terminal
a line shows the time so far.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The node: its enode URL, its record, or its id
    #[arg(value_parser = wanted)]
    node: Wanted,
    /// A node to start from: its record or its enode URL; can be repeated
    #[arg(long = "bootnode", value_name = "NODE", value_parser = form::any)]
    bootnodes: Vec<Node>,
    /// A public network, whose bootnodes to start from
    #[arg(long, value_name = "NAME")]
    network: Option<Network>,
    /// The time limit of the search
    #[arg(long, alias = "timeout", value_name = "TIME", default_value = "15s", value_parser = duration::within(duration::LIMIT))]
    seconds: Duration,
}

impl Args {
    /// Replaces host names by addresses.
    async fn with_addresses(mut self) -> Self {
        self.bootnodes = bootnodes::with_addresses(self.bootnodes).await;
        if let Wanted::Node(node) = self.node {
            self.node = Wanted::Node(Box::new(bootnodes::with_address(*node).await));
        }
        self
    }
}

#[derive(Debug, Clone)]
enum Wanted {
    Id(NodeId),
    Node(Box<Node>),
}

fn wanted(text: &str) -> Result<Wanted, Box<dyn std::error::Error + Send + Sync>> {
    if text.contains(':') {
        return form::any(text).map(|node| Wanted::Node(Box::new(node)));
    }
    let Whom(id) = text.parse()?;
    Ok(Wanted::Id(id))
}

/// The newest record that was found, and the versions that found it.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "resolved")]
struct Resolved {
    by: Vec<&'static str>,
    #[serde(flatten)]
    shown: Shown,
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.shown)?;
        write!(f, "found by   {}", self.by.join(", "))
    }
}

/// The start of a search.
struct Search {
    id: NodeId,
    node: Option<Node>,
    bootnodes: Vec<Node>,
    key: SecretKey,
    until: Instant,
}

pub(crate) async fn run(
    args: Args,
    key: SecretKey,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let (started, limit) = (Instant::now(), human::time(args.seconds));
    let searching = async {
        let args = args.with_addresses().await;
        Search::new(args, key)?.run().await
    };
    // If the result is ready, an interrupt no longer matters.
    let searching = searching.with_cancellation_token(interrupted);
    let progress = || {
        let elapsed = human::time(started.elapsed());
        format!("searching for {elapsed}, at most {limit}")
    };
    let progress = Progress::start(out.is_json()).during(searching, progress);
    match progress.await.transpose()? {
        Some(found) => out.tell(&found),
        None => Ok(()),
    }
}

/// Returns the results of two searches. After one search has succeeded, the other may continue for
/// [`MORE`].
async fn both<T>(
    one: impl Future<Output = Result<T, Failure>>,
    other: impl Future<Output = Result<T, Failure>>,
) -> (Result<T, Failure>, Result<T, Failure>) {
    async fn rest<T>(
        first: &Result<T, Failure>,
        rest: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if first.is_err() {
            return rest.await;
        }
        let found = timeout(MORE, rest).await;
        found.unwrap_or_else(|_| Err(Failure::because("not finished in time")))
    }
    let (one, other) = (pin!(one), pin!(other));
    match select(one, other).await {
        Either::Left((one, other)) => {
            let other = rest(&one, other).await;
            (one, other)
        }
        Either::Right((other, one)) => {
            let one = rest(&other, one).await;
            (one, other)
        }
    }
}

impl Search {
    fn new(args: Args, key: SecretKey) -> Result<Self, Failure> {
        let mut bootnodes = args.bootnodes;
        if let Some(network) = args.network {
            bootnodes.extend(network.bootnodes()?);
        }
        let (id, node) = match args.node {
            Wanted::Id(id) => (id, None),
            Wanted::Node(node) => (node.node_id(), Some(*node)),
        };
        let search = Self {
            id,
            node,
            bootnodes,
            key,
            until: Instant::now() + args.seconds,
        };
        if search.endpoints().next().is_none() {
            return Err(Failure::Usage(
                "--bootnode or --network is needed: there is no node to ask".to_owned(),
            ));
        }
        Ok(search)
    }

    /// Returns all nodes that the user named.
    fn named(&self) -> impl Iterator<Item = &Node> {
        self.node.iter().chain(&self.bootnodes)
    }

    /// Returns the discovery addresses of all named nodes.
    fn endpoints(&self) -> impl Iterator<Item = SocketAddr> {
        let contacts = self
            .named()
            .filter_map(|node| Contact::of_enode(&node.to_enode()));
        contacts.map(|contact| contact.udp_addr())
    }

    /// Returns the address to bind: IPv4 if any named node has it, else IPv6.
    fn addr(&self) -> SocketAddr {
        if self.endpoints().any(|addr| addr.is_ipv4()) {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        }
    }

    /// Returns whether a named node is on a private network. Then private networks are searched too.
    fn private_networks(&self) -> bool {
        self.endpoints()
            .any(|addr| Reach::of(addr.ip()) != Reach::Public)
    }

    /// Makes our own record. It has no address, because no node needs to find us.
    fn own_record(&self) -> Result<NodeRecord, Failure> {
        NodeRecord::builder(1)
            .sign(&self.key)
            .map_err(Failure::because)
    }

    async fn run(&self) -> Result<Resolved, Failure> {
        let (v4, v5) = both(self.by_v4(), self.by_v5()).await;
        let found = [("v4", &v4), ("v5", &v5)];
        let by = found
            .iter()
            .filter(|(_, found)| found.is_ok())
            .map(|(name, _)| *name);
        let by = by.collect();
        let records = found.iter().filter_map(|(_, found)| found.as_ref().ok());
        match records.max_by_key(|record| record.seq()) {
            Some(record) => Ok(Resolved {
                by,
                shown: Shown::of(record),
            }),
            None => {
                let why = found.iter().filter_map(|(name, found)| {
                    let why = found.as_ref().err()?.text()?;
                    Some(format!("{name}: {why}"))
                });
                let why: Vec<_> = why.collect();
                Err(Failure::because(why.join("; ")))
            }
        }
    }

    async fn by_v4(&self) -> Result<NodeRecord, Failure> {
        let Some(node) = self.node.as_ref().map(Node::to_enode) else {
            return Err(Failure::because(format!(
                "it needs the key of node {}, not only its id",
                self.id
            )));
        };
        let config = Discv4Config::default().with_private_networks(self.private_networks());
        let seeds = self.bootnodes.iter().map(Node::to_enode);
        let v4 = Discv4::builder(self.key.clone(), self.own_record()?)
            .config(config)
            .seeds(seeds.filter_map(|node| Contact::of_enode(&node)))
            .on(udp::bind(udp::V4, self.addr()).map_err(Failure::because)?)
            .map_err(Failure::because)?;
        let mut arrivals = v4.found();
        loop {
            let error = match v4.resolve(&node).await {
                Ok(record) => return Ok(record),
                Err(error) => error,
            };
            let may_come = matches!(
                error,
                Discv4Error::NotFound { .. }
                    | Discv4Error::NoAnswer { .. }
                    | Discv4Error::BadRecord { .. }
            );
            // Try again after a node has entered the table, because it may know more nodes.
            let more = async {
                if may_come && !self.bootnodes.is_empty() {
                    arrivals.recv().await
                } else {
                    None
                }
            };
            if !matches!(timeout_at(self.until, more).await, Ok(Some(_))) {
                return Err(Failure::because(error));
            }
        }
    }

    #[cfg(feature = "discv5")]
    async fn by_v5(&self) -> Result<NodeRecord, Failure> {
        use std::sync::Arc;

        use peermux::discv5::{Discv5, Discv5Config, Sockets};
        use tokio::net::UdpSocket;

        /// The pause before the nodes are asked again. In the meantime the nodes may have met other nodes.
        const AGAIN: Duration = Duration::from_secs(1);

        let records = self.named().filter_map(|node| match node {
            Node::Record(record) if record.endpoint().is_some() => Some(record.clone()),
            _ => None,
        });
        let records: Vec<_> = records.collect();
        if records.is_empty() {
            return Err(Failure::because("it needs a record to start from"));
        }
        let socket = udp::bind(udp::V5, self.addr()).map_err(Failure::because)?;
        let socket = UdpSocket::from_std(socket).map_err(Failure::because)?;
        let sockets = Sockets::one(Arc::new(socket)).map_err(Failure::because)?;
        let config = Discv5Config::default().with_private_networks(self.private_networks());
        let builder = Discv5::builder(self.key.clone(), self.own_record()?).config(config);
        let (v5, _events) = builder.start(sockets).await.map_err(Failure::because)?;
        for record in &records {
            if let Err(error) = v5.add(record) {
                tracing::debug!(%error, "cannot use a node for Discovery v5");
            }
        }
        loop {
            let looking = timeout_at(self.until, v5.lookup(&self.id)).await;
            if let Ok(near) = looking {
                let mut near = near.map_err(Failure::because)?.into_iter();
                if let Some(record) = near.find(|record| record.node_id() == self.id) {
                    return Ok(record);
                }
            }
            let again = Instant::now() + AGAIN;
            if again >= self.until {
                return Err(Failure::because(format!("node {} is not found", self.id)));
            }
            tokio::time::sleep_until(again).await;
        }
    }

    #[cfg(not(feature = "discv5"))]
    async fn by_v5(&self) -> Result<NodeRecord, Failure> {
        Err(Failure::because("not built in"))
    }
}

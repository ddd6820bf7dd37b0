//! The arguments of `peermux crawl`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, ValueEnum, value_parser};
use peermux::Node;
use peermux::dns::Link;
use peermux_cli::form;
use peermux_cli::node_file::Format;

use crate::dns_servers;
use crate::duration;
use crate::failure::Failure;
use crate::networks::Network;

const EXAMPLES: &str = "\
Examples:
  peermux crawl --bootnode enr:... --out nodes.jsonl
  peermux crawl --nodes nodes.jsonl --out nodes.jsonl        continues the earlier crawl
  peermux crawl --dns enrtree://…@nodes.example.org --discovery none --seconds 60
  peermux crawl --bootnode enode://…@127.0.0.1:30303 --out nodes.csv --picture nodes.svg
  peermux crawl --network sepolia --seconds 1h --out nodes.json

Searches for nodes, starting from those that are given, and makes one short connection to each. It
records the client name, the capabilities, the record, the chain of nodes that speak eth, and the round
trip. A node that refuses is not dialled again, not even by a crawl that continues with --nodes, unless
--ask-refused is given. The crawl ends when no new node is found, after --seconds, or with Ctrl-C, and then
writes its results.

Without --out it prints each node, and a summary at the end. A file has one of three forms:
  jsonl   one JSON object for each node, with all results
  csv     a table
  nodes   the node set of go-ethereum's devp2p: `devp2p nodeset info FILE`
--format chooses it, or else the file's name (.csv, .json for a node set, other names for jsonl). --nodes
reads jsonl, node sets, and lists with an enode URL or a record on each line.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("start").required(true).multiple(true), group = ArgGroup::new("listed").multiple(true))]
pub(crate) struct Args {
    /// A node to start from: its enode URL or its record; can be repeated
    #[arg(long = "bootnode", value_name = "NODE", group = "start", value_parser = form::any)]
    pub(super) bootnodes: Vec<Node>,
    /// A list of nodes in the DNS, as enrtree://KEY@NAME; can be repeated
    #[arg(long = "dns", value_name = "LINK", groups = ["start", "listed"])]
    pub(super) lists: Vec<Link>,
    /// A public network, with its bootnodes and its list in the DNS
    #[arg(long, value_name = "NAME", groups = ["start", "listed"])]
    pub(super) network: Option<Network>,
    /// A DNS server for the lists; can be repeated [default: those of the system]
    #[arg(long = "dns-server", value_name = "IP[:PORT]", requires = "listed", value_parser = dns_servers::server)]
    pub(super) dns_servers: Vec<SocketAddr>,
    /// A file of nodes, such as that of an earlier crawl; unvisited nodes come first
    #[arg(long, value_name = "FILE", group = "start")]
    pub(super) nodes: Option<PathBuf>,
    /// Also visit the nodes of the file that refused in an earlier crawl
    #[arg(long, requires = "nodes")]
    pub(super) ask_refused: bool,
    /// The discovery protocols to search with: v4, v5, both, or none for given nodes only
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',', default_values = ALL_VERSIONS)]
    pub(super) discovery: Vec<Version>,
    /// Also visit nodes on private networks and on this machine; implied by such a bootnode
    #[arg(long)]
    pub(super) private_networks: bool,
    /// The time limit of the crawl
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::within(duration::LIMIT))]
    pub(super) seconds: Duration,
    /// The number of nodes to visit at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = value_parser!(u8).range(1..=64))]
    pub(super) at_once: u8,
    /// The time limit for each step of a visit: connection, handshake, answers
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::within(duration::LIMIT))]
    pub(super) timeout: Duration,
    /// The largest number of nodes to keep; further ones are counted
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) max_nodes: u32,
    /// The file for the nodes; it replaces an existing one when it is complete
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// The form of the file [default: by its name]
    #[arg(long, value_name = "FORM", requires = "out")]
    pub(super) format: Option<Form>,
    /// The file for a picture of the summary, as SVG
    #[arg(long, value_name = "FILE")]
    pub(super) picture: Option<PathBuf>,
}

impl Args {
    /// Adds the bootnodes and the list of the public network, if one is named.
    pub(super) fn with_network(mut self) -> Result<Self, Failure> {
        if let Some(network) = self.network {
            self.bootnodes.extend(network.bootnodes()?);
            self.lists.push(network.list().map_err(Failure::because)?);
        }
        Ok(self)
    }

    pub(super) fn max_nodes(&self) -> usize {
        usize::try_from(self.max_nodes).unwrap_or(usize::MAX)
    }
}

#[cfg(feature = "discv5")]
const ALL_VERSIONS: &[&str] = &["v4", "v5"];
#[cfg(not(feature = "discv5"))]
const ALL_VERSIONS: &[&str] = &["v4"];

/// A version of the discovery protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Version {
    V4,
    #[cfg(feature = "discv5")]
    V5,
    None,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Jsonl,
    Csv,
    Nodes,
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Jsonl => Self::JsonLines,
            Form::Csv => Self::Csv,
            Form::Nodes => Self::NodeSet,
        }
    }
}

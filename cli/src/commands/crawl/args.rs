//! What the command takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, ValueEnum, value_parser};
use peermux::Node;
use peermux::dns::Link;
use peermux_cli::form;
use peermux_cli::node_file::Format;

use crate::dns_servers;
use crate::failure::Failure;
use crate::networks::Network;

const EXAMPLES: &str = "\
Examples:
  peermux crawl --bootnode enr:... --out nodes.jsonl
  peermux crawl --nodes nodes.jsonl --out nodes.jsonl        goes on where that was left
  peermux crawl --dns enrtree://…@nodes.example.org --discovery none --seconds 60
  peermux crawl --bootnode enode://…@127.0.0.1:30303 --out nodes.csv --picture nodes.svg
  peermux crawl --network sepolia --seconds 3600 --out nodes.json

Looks for nodes from those that are given on, and makes one short connection to each: what it calls
itself, what it speaks, its record, its chain if it speaks eth, and how long it takes to answer. Who
refuses is not dialled again. It ends when nobody new is found, after --seconds, or with Ctrl-C, and
writes what it has found.

Without --out each node is printed, and a summary at the end. A file is in one of three forms:
  jsonl   a JSON object a line, with all that is known
  csv     a table
  nodes   the node set of go-ethereum's devp2p: `devp2p nodeset info FILE`
The file's name says which (.csv, .json for a node set, else jsonl), or --format does. --nodes reads
jsonl and node sets, and lists of enode URLs or records, one a line.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("start").required(true).multiple(true), group = ArgGroup::new("listed").multiple(true))]
pub(crate) struct Args {
    /// A node to begin with: its enode URL or its record; can be repeated
    #[arg(long = "bootnode", value_name = "NODE", group = "start", value_parser = form::any)]
    pub(super) bootnodes: Vec<Node>,
    /// A list of nodes in the DNS, as enrtree://KEY@NAME; can be repeated
    #[arg(long = "dns", value_name = "LINK", groups = ["start", "listed"])]
    pub(super) lists: Vec<Link>,
    /// A public network: its bootnodes, and its list in the DNS
    #[arg(long, value_name = "NAME", groups = ["start", "listed"])]
    pub(super) network: Option<Network>,
    /// A DNS server to ask for the lists; can be repeated [default: those of the system]
    #[arg(long = "dns-server", value_name = "IP[:PORT]", requires = "listed", value_parser = dns_servers::server)]
    pub(super) dns_servers: Vec<SocketAddr>,
    /// A file of nodes, such as an earlier crawl wrote; those that were not visited come first
    #[arg(long, value_name = "FILE", group = "start")]
    pub(super) nodes: Option<PathBuf>,
    /// How to look for further nodes: v4, v5 or both; with none only those are visited that are given
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',', default_values = ALL_VERSIONS)]
    pub(super) discovery: Vec<Version>,
    /// Visit nodes of private networks and of this machine too; so does a bootnode that is one
    #[arg(long)]
    pub(super) private_networks: bool,
    /// How long to go on, at most
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = value_parser!(u32).range(1..))]
    pub(super) seconds: u32,
    /// How many nodes to visit at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = value_parser!(u8).range(1..=64))]
    pub(super) at_once: u8,
    /// How long a node may take for each step, in seconds: connection, handshake, answers
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u8).range(1..))]
    pub(super) timeout: u8,
    /// How many nodes to know at most; further ones are counted
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) max_nodes: u32,
    /// Where to write the nodes; a file that is there is replaced when the new one is complete
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// The form of that file [default: as its name says]
    #[arg(long, value_name = "FORM", requires = "out")]
    pub(super) format: Option<Form>,
    /// Where to draw the summary, as SVG
    #[arg(long, value_name = "FILE")]
    pub(super) picture: Option<PathBuf>,
}

impl Args {
    /// Adds what a public network has to begin with, if one was named.
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

//! What the command line takes.

use clap::{Parser, Subcommand};

use crate::commands::{bench, chat, key, listen, ping};
use crate::keys::KeyArgs;

/// Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
#[derive(Debug, Parser)]
#[command(name = "peermux", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Print one JSON object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Log more to standard error; -vv and -vvv still more. PEERMUX_LOG takes a whole filter
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what it is all about: nodes in one process over real TCP
    Demo,
    /// Run a node and print its peers' coming and going
    Listen(listen::Args),
    /// Connect to a node, show what it says of itself, and measure base-protocol pings
    Ping(ping::Args),
    /// Measure throughput, round trips or handshakes
    Bench(bench::Args),
    /// Make or show a node's key
    Key(key::Args),
    /// Talk: lines of standard input go to all peers, theirs come out
    Chat(chat::Args),
}

//! What the command line takes.

use clap::{Parser, Subcommand};

#[cfg(unix)]
use crate::commands::peers;
use crate::commands::{bench, chat, key, listen, ping};
use crate::keys::KeyArgs;

/// Where the options are listed that every command takes.
pub(crate) const COMMON: &str = "Common options";

const EXAMPLES: &str = "\
Begin with:
  peermux demo                          the tour
  peermux listen                        a node; its first line is its enode URL
  peermux ping ENODE --count 3          in another terminal

Exit code: 0 success, 1 failure with one line on standard error, 2 wrong usage, 141 if the
reader of standard output closed it. Output that was lost is a failure.
SIGINT (Ctrl-C), SIGTERM and the end of the terminal (SIGHUP) end a command cleanly: its peers
are notified first. A second signal, a second or more after the first, does not wait for them.
Without a terminal SIGHUP is ignored.";

/// Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
#[derive(Debug, Parser)]
#[command(name = "peermux", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Print for programs: one JSON object a line, nothing else
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Allow core dumps and debuggers, which can read the keys in this process's memory
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) core_dumps: bool,
    /// Log more to standard error (-vv, -vvv), or what PEERMUX_LOG=FILTER says
    #[arg(short, long, global = true, help_heading = COMMON, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take the tour: three nodes over loopback TCP, their protocols matched, routed and measured
    Demo,
    /// Run a node and print its peers' coming and going
    Listen(listen::Args),
    /// Look at a running node of your own and its peers, or change whom it keeps connected
    #[cfg(unix)]
    Peers(peers::Args),
    /// Ask a node who it is and how long it takes to answer
    Ping(ping::Args),
    /// Measure throughput, round trips or handshakes, every message verified
    Bench(bench::Args),
    /// Make or show a node's key
    Key(key::Args),
    /// Talk: lines of standard input go to all peers, theirs come out
    Chat(chat::Args),
}

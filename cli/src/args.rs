//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

#[cfg(all(unix, feature = "top"))]
use crate::commands::top;
use crate::commands::{bench, chat, config, crawl, dns, key, listen, ping, record, resolve};
#[cfg(unix)]
use crate::commands::{peers, why};
use crate::keys::KeyArgs;
use crate::logs::Form;

/// The heading of the options that every command takes.
pub(crate) const COMMON: &str = "Common options";

const EXAMPLES: &str = "\
Begin with:
  peermux demo                          the tour
  peermux listen                        a node; its first line is its enode URL
  peermux ping ENODE --count 3          in another terminal

A TIME is a number of seconds, or has units: 500ms, 30s, 5m, 1h30m, 2d.

Exit code: 0 success, 1 failure with one line on standard error, 2 wrong usage, 141 if the
reader of standard output closed it. Output that was lost is a failure.
SIGINT (Ctrl-C), SIGTERM and the end of the terminal (SIGHUP) end a command cleanly: its peers
are notified first. If another signal follows after at least 1 s, the command ends at once. If
there is no terminal, SIGHUP makes `listen` read its configuration file again instead.";

const COMPLETIONS: &str = "\
Examples:
  peermux completions bash > ~/.local/share/bash-completion/completions/peermux
  peermux completions zsh > ~/.zfunc/_peermux
  peermux completions fish > ~/.config/fish/completions/peermux.fish";

const MANUAL: &str = "\
Examples:
  peermux man ~/.local/share/man/man1";

/// Multiplexed peer-to-peer subprotocols over one encrypted RLPx connection.
#[derive(Debug, Parser)]
#[command(name = "peermux", version = env!("PEERMUX_VERSION"), after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options of every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Print one JSON object a line, and nothing else
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Allow core dumps and debuggers, which can read the keys in the process's memory
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) core_dumps: bool,
    /// Log more to standard error: -v peers and dials, -vv connections, -vvv messages
    ///
    /// PEERMUX_LOG=FILTER in the environment sets another filter.
    #[arg(short, long, global = true, help_heading = COMMON, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// The form of the log
    #[arg(long, global = true, help_heading = COMMON, value_name = "FORM", value_enum, default_value_t = Form::Text)]
    pub(crate) log: Form,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take the tour: three nodes over loopback TCP, their protocols matched, routed and measured
    Demo,
    /// Run a node, and print its peers as they come and go
    Listen(listen::Args),
    /// Show your running node and its peers, or change its peers and settings
    #[cfg(unix)]
    Peers(peers::Args),
    /// Watch your running node: its peers, protocols, dials, memory and last events
    #[cfg(all(unix, feature = "top"))]
    Top(top::Args),
    /// Show why peers of your running node ended, and the last messages of each
    #[cfg(unix)]
    Why(why::Args),
    /// Connect to a node, show what it is, and measure its round trips
    Ping(ping::Args),
    /// Measure throughput, round trips or handshakes, and verify every message
    Bench(bench::Args),
    /// Find the nodes of a network, and visit each
    Crawl(crawl::Args),
    /// Read lists of nodes in the DNS, or make one
    Dns(dns::Args),
    /// Find the newest record of a node by Node Discovery
    Resolve(resolve::Args),
    /// Show or sign a node's record
    Record(record::Args),
    /// Check a configuration file, or show a node's settings
    Config(config::Args),
    /// Make or show a node's key
    Key(key::Args),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write manual pages, one for each command
    #[command(after_help = MANUAL)]
    Man {
        /// The folder to write them to
        folder: PathBuf,
    },
    /// Send lines of standard input to all peers, and print theirs
    Chat(chat::Args),
}

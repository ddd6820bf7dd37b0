//! `peermux dns`: reads and makes lists of nodes in the DNS.

mod sync;
mod tree;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::keys::KeyArgs;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  peermux dns sync enrtree://…@nodes.example.org --dns-server 192.0.2.53
  peermux dns tree --key-file list.key --domain nodes.example.org --seq 1 --nodes nodes.txt

A list of nodes is a signed tree of TXT records (EIP-1459). Only the servers given with --dns-server are
asked, else those of the system's configuration. No list is built in. dns tree sends nothing.
On a terminal a line shows the progress of dns sync.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read a whole list, and print its nodes and its links to other lists
    Sync(sync::Args),
    /// Sign a list (with --key-file or --key), and print the records to publish
    Tree(tree::Args),
}

pub(crate) async fn run(
    args: Args,
    key: &KeyArgs,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    match args.action {
        Action::Sync(args) => sync::run(&args, out, interrupted).await,
        Action::Tree(args) => tree::run(&args, key, out),
    }
}

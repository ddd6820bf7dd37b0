//! `peermux record`: shows and signs node records.

mod show;
mod sign;

use clap::Subcommand;

use crate::failure::Failure;
use crate::keys::KeyArgs;
use crate::output::Output;

pub(crate) use show::Shown;

const EXAMPLES: &str = "\
Examples:
  peermux record show enr:…
  peermux record sign --key-file node.key --ip 192.0.2.1 --tcp 30303 --udp 30303
  peermux record sign --key-file node.key --update enr:… --udp 30304 --set eth=0xc7c684fc64ec0480

A record is what a node says of itself, signed with its key (EIP-778).";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Verify a record and print its entries
    Show(show::Args),
    /// Sign a record (with --key-file or --key), or a newer one of the same node
    Sign(sign::Args),
}

pub(crate) fn run(args: &Args, key: &KeyArgs, out: &Output) -> Result<(), Failure> {
    match &args.action {
        Action::Show(args) => show::run(args, out),
        Action::Sign(args) => sign::run(args, key, out),
    }
}

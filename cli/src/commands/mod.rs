//! The commands, one a file: its arguments, and what it does.

pub(crate) mod bench;
pub(crate) mod chat;
mod demo;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod ping;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command that was asked for, to its end.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let out = Output::new(cli.common.json);
    let key = &cli.common.key;
    match cli.command {
        Command::Demo => demo::run(out).await,
        Command::Listen(args) => listen::run(args, key.load_or_random()?, out).await,
        Command::Ping(args) => ping::run(args, key.load_or_random()?, out).await,
        Command::Bench(args) => bench::run(args, key.load_or_random()?, out).await,
        Command::Key(args) => key::run(&args, key, out),
        Command::Chat(args) => chat::run(args, key.load_or_random()?, out).await,
    }
}

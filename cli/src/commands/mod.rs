//! The commands, each in its own module.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod config;
pub(crate) mod crawl;
mod demo;
pub(crate) mod dns;
mod help;
pub(crate) mod key;
pub(crate) mod listen;
#[cfg(unix)]
pub(crate) mod peers;
pub(crate) mod ping;
pub(crate) mod record;
pub(crate) mod resolve;
#[cfg(all(unix, feature = "top"))]
pub(crate) mod top;
#[cfg(unix)]
pub(crate) mod why;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Interrupts;

/// Runs a command until its output is written.
pub(crate) async fn run(cli: Cli, interrupts: Interrupts) -> Result<(), Failure> {
    let out = Output::start(cli.common.json, interrupts.once.clone())?;
    let result = execute(cli, &out, &interrupts).await;
    out.finish(result, &interrupts.once).await
}

async fn execute(cli: Cli, out: &Output, interrupts: &Interrupts) -> Result<(), Failure> {
    let key = &cli.common.key;
    let interrupted = &interrupts.once;
    match cli.command {
        Command::Demo => demo::run(out, interrupted).await,
        Command::Listen(args) => listen::run(args, key, out, interrupts).await,
        #[cfg(unix)]
        Command::Peers(args) => tokio::select! {
            // Check the result first: if it is ready, an interrupt no longer matters.
            biased;
            result = peers::run(args, out) => result,
            () = interrupted.cancelled() => Ok(()),
        },
        #[cfg(all(unix, feature = "top"))]
        Command::Top(args) => top::run(args, out, interrupted).await,
        #[cfg(unix)]
        Command::Why(args) => tokio::select! {
            // Check the result first: if it is ready, an interrupt no longer matters.
            biased;
            result = why::run(&args, out) => result,
            () = interrupted.cancelled() => Ok(()),
        },
        Command::Ping(args) => {
            let result = ping::run(args, key.load_or_random()?, out, interrupted).await;
            with_trouble(result, out)
        }
        Command::Bench(args) => bench::run(args, key.load_or_random()?, out, interrupted).await,
        Command::Crawl(args) => crawl::run(args, key.load_or_random()?, out, interrupted).await,
        Command::Dns(args) => dns::run(args, key, out, interrupted).await,
        Command::Config(args) => tokio::select! {
            // Check the result first: if it is ready, an interrupt no longer matters.
            biased;
            result = config::run(&args, out) => result,
            () = interrupted.cancelled() => Ok(()),
        },
        Command::Key(args) => key::run(&args, key, out),
        Command::Completions { shell } => help::complete(shell, out),
        Command::Man { folder } => help::write_manual(&folder, out),
        Command::Record(args) => record::run(&args, key, out),
        Command::Resolve(args) => resolve::run(args, key.load_or_random()?, out, interrupted).await,
        Command::Chat(args) => {
            let result = chat::run(args, key.load_or_random()?, out, interrupted).await;
            with_trouble(result, out)
        }
    }
}

/// Prints a failed connection, if programs read the output. People read it on standard error.
fn with_trouble(result: Result<(), Failure>, out: &Output) -> Result<(), Failure> {
    if let Err(Failure::Connection(trouble)) = &result
        && out.is_json()
    {
        out.tell(&**trouble)?;
    }
    result
}

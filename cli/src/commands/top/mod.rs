//! `peermux top`: a live view of a running node.

mod asker;
mod driver;
mod model;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin::{Client, Which};
use crate::duration;
use crate::failure::Failure;
use crate::output::Output;

use asker::Asker;
use model::{Model, Sort};
use screen::Screen;
use view::Theme;

const EXAMPLES: &str = "\
Examples:
  peermux listen --data-dir node        the node, in another terminal
  peermux top --data-dir node           its present state
  peermux top --data-dir node --sort in --interval 5s

Keys: 1 to 5 or Tab change between peers, protocols, dials, memory and events; arrows select; s sorts, r
reverses, / filters, Enter shows all about a row; d disconnects, K kicks, b bans, t trusts, a adds;
? explains all keys, q ends.

in/s and out/s are bytes of messages. queue is what waits to be sent and to be read. stalls counts the pauses
of reading because a protocol did not read, and shows their present share of the time. p50 and p99 are round
trips. The view has no colours if NO_COLOR is set. It waits for a node that has ended to come back.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The time between two refreshes
    #[arg(long, value_name = "TIME", default_value = "1s",
        value_parser = duration::within(duration::REFRESH))]
    interval: Duration,
    /// The column to sort the peers by
    #[arg(long, value_name = "COLUMN", value_enum, default_value_t = Sort::In)]
    sort: Sort,
    /// Show everything without colours, as with NO_COLOR in the environment
    #[arg(long)]
    no_color: bool,
}

pub(crate) async fn run(
    args: Args,
    out: &Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let instead = "`peermux peers --watch` prints its table repeatedly, and `peermux peers --json` prints lines for programs";
    if out.is_json() {
        let text = format!("top is for people: {instead}");
        return Err(Failure::Usage(text));
    }
    if !io::stdout().is_terminal() {
        let text = format!("top needs a terminal on standard output: {instead}");
        return Err(Failure::because(text));
    }
    let path = args.which.socket()?;
    let client = Client::connect(&path).await?;
    let asker = Asker::start(path, client);
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = Theme {
        colours: !args.no_color && !unwanted,
    };
    let screen = Screen::open().map_err(|error| cannot_draw(&error))?;
    let model = Model::new(args.sort);
    driver::run(screen, model, theme, asker, args.interval, interrupted).await
}

fn cannot_draw(error: &io::Error) -> Failure {
    Failure::because(format!("cannot draw in this terminal: {error}"))
}

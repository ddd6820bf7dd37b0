//! `peermux peers`: shows and changes the peers and settings of a running node.

mod about;
mod changes;
mod missing;
mod rows;

use std::time::Duration;

use clap::Subcommand;
use peermux::peer::PeerInfo;
use peermux_cli::request::{Query, Request};
use tokio::time::sleep;

use crate::admin::{Client, Which};
use crate::duration;
use crate::failure::Failure;
use crate::output::Output;

use about::About;
use changes::Change;
use rows::{Rows, Sort};

#[cfg(feature = "top")]
pub(crate) use changes::Done;
#[cfg(feature = "top")]
pub(crate) use missing::StaticNode;

const EXAMPLES: &str = "\
Examples:
  peermux listen --data-dir node        the node, in another terminal
  peermux peers --data-dir node         its peers
  peermux peers --data-dir node --watch --sort out
  peermux peers --data-dir node --all   and the static nodes that are not connected, and why
  peermux peers --data-dir node add ENODE
  peermux peers --data-dir node kick 0f2b1c3d4e5f
  peermux peers --data-dir node ban 192.0.2.7 --for 1d --reason spam
  peermux peers --data-dir node reconfigure max_peers=10
  peermux peers --data-dir node stop

For NODE, four or more of the first digits of its id are enough, as the table shows them, if the running
node knows it as a peer, a static node, a banned node or a peer that has ended.

in and out are the bytes that protocols have received and sent, with --watch per second. queue is what
waits to be sent and to be read. score counts the misbehaviour that protocols have reported.

The node's socket (admin.sock in its data directory, mode 0600) reads JSON lines, one request on each
line, and answers each with one line, {\"ok\":...} or {\"error\":\"...\"}:
  {\"command\":\"peers\"}               also node-info, static-nodes, bans, recordings,
                                        events, discovery, config, stop
  {\"command\":\"add\",\"enode\":\"enode://...\"}
  {\"command\":\"remove\",\"node\":\"NODE\"}     NODE is a node id, an enode URL or a record;
                                        also trust, distrust, kick, recording
  {\"command\":\"ban\",\"target\":\"NODE or IP\",\"seconds\":3600,\"reason\":\"...\"}
  {\"command\":\"unban\",\"target\":\"NODE or IP\"}
  {\"command\":\"reconfigure\",\"settings\":{\"max_peers\":10}}
  {\"command\":\"log-level\",\"filter\":\"peermux=debug\"}";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The action, if it is not to show the peers
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    which: Which,
    /// Also show the static nodes that are not connected
    #[arg(long)]
    all: bool,
    /// The column to sort by
    #[arg(long, value_name = "COLUMN", value_enum, default_value_t = Sort::Id)]
    sort: Sort,
    /// Repeat the table after this pause, without a value 2 seconds
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "2s",
        value_parser = duration::within(duration::REFRESH))]
    watch: Option<Duration>,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(flatten)]
    Change(Change),
    /// Describe the node
    Info,
    /// Show the bans, the time that is left, and the reasons
    Bans,
    /// End the node, and wait until it has ended
    Stop,
}

pub(crate) async fn run(mut args: Args, out: &Output) -> Result<(), Failure> {
    let mut node = Client::connect(&args.which.socket()?).await?;
    match args.action.take() {
        None => show(&args, &mut node, out).await,
        Some(Action::Info) => {
            let info = node.ask(Query::NodeInfo {}).await?;
            out.tell(&About::new(info))
        }
        Some(Action::Bans) => changes::show_bans(&mut node, out).await,
        Some(Action::Stop) => {
            let () = node.ask(Request::Stop).await?;
            node.ended().await?;
            out.tell(&changes::Stopped {})
        }
        Some(Action::Change(change)) => change.make(&mut node, out).await,
    }
}

/// Shows the peers, once or repeatedly.
async fn show(args: &Args, node: &mut Client, out: &Output) -> Result<(), Failure> {
    let mut before = None;
    loop {
        let peers: Vec<PeerInfo> = node.ask(Query::Peers {}).await?;
        let mut rows = Rows::new(peers, args.sort);
        if let Some((since, earlier)) = &before {
            rows.as_rates(earlier, *since);
        }
        if args.watch.is_some() {
            out.clear();
        }
        rows.show(out)?;
        if args.all {
            missing::show(node, out).await?;
        }
        let Some(pause) = args.watch else {
            return Ok(());
        };
        before = Some((pause, rows.passed()));
        sleep(pause).await;
    }
}

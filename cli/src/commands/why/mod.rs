//! `peermux why`: shows why a peer ended, and its last messages.

mod findings;
mod list;

use std::fmt;
use std::time::Duration;

use peermux::recorder::Recording;
use peermux_cli::request::{Query, Whom};
use serde::Serialize;

use crate::admin::{Chosen, Client, EndedPeer, Which};
use crate::duration;
use crate::failure::Failure;
use crate::output::{Output, printable};

const EXAMPLES: &str = "\
Examples:
  peermux listen --data-dir node        the node, in another terminal
  peermux why --data-dir node           the peers that ended last, and why
  peermux why --data-dir node 0f2b      the last messages of one of them, or of a connected peer
  peermux why --data-dir node 0f2b --last 10s
  peermux why --data-dir node 0f2b --ended     the connection before, of a peer that is connected again

A node keeps the last 1,000 entries of each peer, and of the last 64 peers that ended: messages with
protocol, code and size, Pings, pauses of reading with their causes, dropped messages, and Disconnects. It
never keeps the contents of a message. Times are seconds since the peer connected; <- means received, ->
sent.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The peer: its node id or first digits, its enode URL or its record
    node: Option<Chosen>,
    #[command(flatten)]
    which: Which,
    /// The last part of the connection to show [default: 40 entries, or all with --json]
    #[arg(long, value_name = "TIME", value_parser = duration::read, requires = "node")]
    last: Option<Duration>,
    /// The last connection that ended, although the peer is connected again
    #[arg(long, requires = "node")]
    ended: bool,
    /// All entries
    #[arg(long, conflicts_with = "last", requires = "node")]
    all: bool,
}

/// The number of entries that people see by default.
const SHOWN: usize = 40;

/// The report on the recording of a peer.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "recording")]
struct Report {
    #[serde(flatten)]
    recording: Recording,
    /// The findings in the whole recording.
    #[serde(skip)]
    findings: Vec<String>,
    #[serde(skip)]
    shown: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.recording.to_string();
        let lines: Vec<_> = text.lines().map(printable).collect();
        // The text of the recording ends with the entries, one on each line.
        let head = lines.len().saturating_sub(self.recording.len());
        let (head, entries) = lines.split_at(head);
        for line in head {
            writeln!(f, "{line}")?;
        }
        let left_out = entries.len().saturating_sub(self.shown);
        if left_out > 0 {
            writeln!(f, "{left_out} entries before these; --all shows them")?;
        }
        for line in &entries[left_out..] {
            writeln!(f, "{line}")?;
        }
        f.write_str("in short:")?;
        for finding in &self.findings {
            write!(f, "\n  {}", printable(finding))?;
        }
        Ok(())
    }
}

pub(crate) async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let mut node = Client::connect(&args.which.socket()?).await?;
    let Some(chosen) = &args.node else {
        return list::show(&mut node, out).await;
    };
    let id = chosen.resolve(&mut node).await?;
    let (whom, ended) = (Whom(id), args.ended);
    let query = Query::Recording { node: whom, ended };
    let recording: Recording = node.ask(query).await?;
    if recording.end().is_none() && !out.is_json() {
        let ended: Vec<EndedPeer> = node.ask(Query::Recordings {}).await?;
        if ended.iter().any(|peer| peer.node_id == id) {
            out.remark("the peer is connected again; --ended shows the connection that ended");
        }
    }
    out.tell(&Report {
        findings: findings::of(&recording),
        shown: if args.last.is_some() || args.all {
            usize::MAX
        } else {
            SHOWN
        },
        recording: match args.last {
            Some(time) => recording.last(time),
            None => recording,
        },
    })
}

//! Lists the peers whose connections ended last.

use std::fmt;
use std::time::{Duration, SystemTime};

use peermux::addrbook::{Clock, SystemClock};
use peermux_cli::request::Query;
use serde::Serialize;

use crate::admin::{Client, EndedPeer};
use crate::failure::Failure;
use crate::human;
use crate::output::{Output, printable};
use crate::table::Table;

/// The line that programs get about a peer whose connection has ended.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "ended_peer")]
struct Line<'a> {
    #[serde(flatten)]
    peer: &'a EndedPeer,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.node_id.fmt(f)
    }
}

/// Shows the peers. The one that ended last is at the bottom.
pub(super) async fn show(node: &mut Client, out: &Output) -> Result<(), Failure> {
    let ended: Vec<EndedPeer> = node.ask(Query::Recordings {}).await?;
    if out.is_json() {
        let lines = ended.iter().map(|peer| Line { peer });
        return out.tell_all(&lines.collect::<Vec<_>>());
    }
    if ended.is_empty() {
        out.remark("no connection to a peer has ended");
        return Ok(());
    }
    let now = SystemClock::new().now();
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let header = ["ended", "node id", "address", "client", "after", "why"];
    let mut table = Table::new(header);
    for peer in &ended {
        table.push(row(peer, now, out));
    }
    out.remark(&table.to_string());
    Ok(())
}

fn row(peer: &EndedPeer, now: Duration, out: &Output) -> [String; 6] {
    let ago = now.saturating_sub(peer.ended_at());
    [
        format!("{} ago", human::time(ago)),
        out.id(&peer.node_id),
        peer.addr
            .map_or_else(|| "-".to_owned(), |addr| addr.to_string()),
        printable(&peer.client),
        human::time(Duration::from_millis(peer.connected_ms)),
        peer.end
            .as_ref()
            .map_or_else(String::new, |end| printable(&end.to_string())),
    ]
}

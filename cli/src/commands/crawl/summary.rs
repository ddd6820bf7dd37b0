//! Counts the results of a crawl.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use peermux::{Enode, Host};
use peermux_cli::node_file::{KnownNode, Outcome};
use serde::Serialize;

use crate::output::{printable, reason_text};

/// The maximum number of lines in a table, and of bars in the picture.
pub(super) const LINES: usize = 12;

/// The summary of a crawl.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "event", rename = "summary")]
pub(super) struct Summary {
    seconds: f64,
    /// The number of all known nodes.
    known: usize,
    met: usize,
    refused: usize,
    /// The number of nodes with any other outcome: they were dialled in vain.
    failed: usize,
    /// The number of nodes that cannot or may not be dialled.
    not_dialled: usize,
    /// The number of nodes without an outcome: no visit to them has ended.
    not_visited: usize,
    /// The number of nodes that were not kept.
    turned_away: u64,
    /// The nodes by client name, without the version.
    clients: Table,
    capabilities: Table,
    /// The nodes by network number and fork identifier. For nodes without a Status, the fork identifier in
    /// the record counts.
    networks: Table,
    families: Table,
    /// The failures of the nodes that sent no Hello, and the reasons of Disconnects.
    failures: Table,
    /// The round trips of the nodes that answered a Ping, in microseconds.
    rtt_us: Option<Quartiles>,
}

/// The number of nodes of each kind, the most frequent first.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(String, usize)>);

#[derive(Debug, Serialize)]
struct Quartiles {
    least: u64,
    p25: u64,
    p50: u64,
    p75: u64,
    most: u64,
}

impl Summary {
    pub(super) fn of<'a>(
        nodes: impl IntoIterator<Item = &'a KnownNode>,
        turned_away: u64,
        took: Duration,
    ) -> Self {
        let mut summary = Self {
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            turned_away,
            ..Self::default()
        };
        let mut counts = Counts::default();
        for node in nodes {
            summary.known += 1;
            match node.outcome {
                Some(Outcome::Met) => summary.met += 1,
                Some(Outcome::Refused) => summary.refused += 1,
                Some(Outcome::NotDialled) => summary.not_dialled += 1,
                Some(_) => summary.failed += 1,
                None => summary.not_visited += 1,
            }
            counts.count(node);
        }
        summary.clients = counts.clients.into();
        summary.capabilities = counts.capabilities.into();
        summary.networks = counts.networks.into();
        summary.families = counts.families.into();
        summary.failures = counts.failures.into();
        summary.rtt_us = Quartiles::of(counts.rtts);
        summary
    }

    /// Returns the tables with their titles.
    pub(super) fn tables(&self) -> [(&'static str, &Table); 5] {
        [
            ("clients", &self.clients),
            ("capabilities", &self.capabilities),
            ("networks", &self.networks),
            ("addresses", &self.families),
            ("not met, or left early", &self.failures),
        ]
    }

    /// Returns the summary in one line.
    pub(super) fn headline(&self) -> String {
        let Self {
            known,
            met,
            refused,
            failed,
            not_dialled,
            not_visited,
            seconds,
            ..
        } = self;
        format!(
            "nodes: {known} known, {met} met, {refused} refused, {failed} failed, {not_dialled} not dialled, {not_visited} not visited; {seconds} s"
        )
    }
}

#[derive(Default)]
struct Counts {
    clients: BTreeMap<String, usize>,
    capabilities: BTreeMap<String, usize>,
    networks: BTreeMap<String, usize>,
    families: BTreeMap<String, usize>,
    failures: BTreeMap<String, usize>,
    rtts: Vec<u64>,
}

impl Counts {
    fn count(&mut self, node: &KnownNode) {
        let mut add = |table: fn(&mut Self) -> &mut BTreeMap<String, usize>, kind: String| {
            *table(self).entry(kind).or_default() += 1;
        };
        if let Some(client) = &node.client {
            add(|counts| &mut counts.clients, client_name(client));
        }
        let mut spoken: Vec<_> = node.capabilities.iter().collect();
        spoken.sort_unstable();
        spoken.dedup();
        for capability in spoken {
            add(
                |counts| &mut counts.capabilities,
                printable(&capability.to_string()),
            );
        }
        if let Some(eth) = &node.eth {
            let network = format!("{}, fork {}", eth.network, printable(&eth.fork_id));
            add(|counts| &mut counts.networks, network);
        } else if let Some(fork_id) = &node.record_fork_id {
            let network = format!("fork {}, by the record", printable(fork_id));
            add(|counts| &mut counts.networks, network);
        }
        add(
            |counts| &mut counts.families,
            family(&node.enode).to_owned(),
        );
        if let Some(failure) = failure(node) {
            add(|counts| &mut counts.failures, failure);
        }
        self.rtts.extend(node.rtt_us);
    }
}

/// Returns `Geth` for `Geth/v1.17.10-stable/linux-amd64/go1.26`.
fn client_name(client: &str) -> String {
    let name = client.split('/').next().unwrap_or_default().trim();
    match name {
        "" => "without a name".to_owned(),
        name => printable(name),
    }
}

fn family(enode: &Enode) -> &'static str {
    match enode.endpoint().map(|endpoint| &endpoint.host) {
        Some(Host::Ip(ip)) if ip.is_ipv4() => "IPv4",
        Some(Host::Ip(_)) => "IPv6",
        Some(Host::Dns(_)) => "a name",
        None => "none",
    }
}

fn failure(node: &KnownNode) -> Option<String> {
    match (node.outcome?, node.reason()) {
        (Outcome::Met, None) => None,
        (Outcome::Met, reason) => Some(format!("left early: {}", reason_text(reason))),
        (Outcome::Refused, reason) => Some(format!("refused: {}", reason_text(reason))),
        (outcome, _) => Some(outcome.to_string()),
    }
}

impl From<BTreeMap<String, usize>> for Table {
    fn from(counts: BTreeMap<String, usize>) -> Self {
        let mut rows: Vec<_> = counts.into_iter().collect();
        rows.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        Self(rows)
    }
}

impl Table {
    /// Returns the most frequent kinds, and the number of nodes of all other kinds.
    pub(super) fn rows(&self) -> (&[(String, usize)], usize) {
        let (rows, others) = self.0.split_at(self.0.len().min(LINES));
        (rows, others.iter().map(|(_, count)| count).sum())
    }
}

/// Serializes the table as an object with the kinds as keys.
impl Serialize for Table {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(kind, count)| (kind, count)))
    }
}

impl Quartiles {
    fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let last = values.len().checked_sub(1)?;
        let at = |quarter: usize| values.get(last * quarter / 4).copied();
        Some(Self {
            least: at(0)?,
            p25: at(1)?,
            p50: at(2)?,
            p75: at(3)?,
            most: at(4)?,
        })
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if self.turned_away > 0 {
            write!(f, "\n{} more were found than are kept", self.turned_away)?;
        }
        for (title, table) in self.tables() {
            let (rows, others) = table.rows();
            if !rows.is_empty() {
                write!(f, "\n{title}")?;
            }
            for (kind, count) in rows {
                write!(f, "\n{count:>7}  {kind}")?;
            }
            if others > 0 {
                write!(f, "\n{others:>7}  others")?;
            }
        }
        if let Some(rtt) = &self.rtt_us {
            write!(
                f,
                "\nround trips\n    {:.2} ms the fastest, half of them up to {:.2} ms, three quarters up to {:.2} ms",
                millis(rtt.least),
                millis(rtt.p50),
                millis(rtt.p75)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use peermux::setup::FailureInfo;
    use peermux::{DisconnectReason, Fault, SecretKey, Stage};
    use peermux_cli::node_file::Source;

    use super::*;

    fn node(addr: &str) -> KnownNode {
        let key = SecretKey::generate().public_key();
        let enode = Enode::new(key, addr.parse().expect("an address"));
        KnownNode::new(enode.into(), Source::V4)
    }

    #[test]
    fn nodes_are_counted_by_kind_the_most_frequent_first() {
        let mut nodes = [
            "8.1.0.1:1",
            "8.1.0.2:1",
            "[2001:470::1]:1",
            "8.1.0.4:1",
            "8.1.0.5:1",
            "8.1.0.6:1",
        ]
        .map(node);
        for (node, client) in nodes.iter_mut().zip(["Geth/v1/x", "reth/v2", "reth/v1.9"]) {
            node.outcome = Some(Outcome::Met);
            node.client = Some(client.to_owned());
            node.capabilities = vec!["eth/69".parse().expect("one"); 2];
            node.rtt_us = Some(1500);
        }
        let full = Some(DisconnectReason::TOO_MANY_PEERS);
        let full = FailureInfo::new(Stage::Hello, Fault::Remote, full, "full");
        nodes[1].error = Some(full.clone());
        nodes[3].outcome = Some(Outcome::Refused);
        nodes[3].record_fork_id = Some("00000001/2".to_owned());
        nodes[3].error = Some(full);
        nodes[4].outcome = Some(Outcome::TimedOut);
        nodes[5].outcome = Some(Outcome::NotDialled);
        let summary = Summary::of(&nodes, 0, Duration::from_millis(1240));
        let text = summary.to_string();
        let wanted = "\
nodes: 6 known, 3 met, 1 refused, 1 failed, 1 not dialled, 0 not visited; 1.2 s
clients
      2  reth
      1  Geth
capabilities
      3  eth/69
networks
      1  fork 00000001/2, by the record
addresses
      5  IPv4
      1  IPv6
not met, or left early
      1  left early: too many peers (0x04)
      1  no connection in time
      1  not dialled
      1  refused: too many peers (0x04)
round trips
    1.50 ms the fastest, half of them up to 1.50 ms, three quarters up to 1.50 ms";
        assert_eq!(text, wanted);
        let json = serde_json::to_value(&summary).expect("JSON");
        assert_eq!(json["clients"]["reth"], 2, "{json}");
        assert_eq!(json["event"], "summary");
    }

    #[test]
    fn a_long_table_ends_with_the_others() {
        let counts = (0..20).map(|kind| (format!("{kind:02}"), 20 - kind));
        let table = Table::from(counts.collect::<BTreeMap<_, _>>());
        let (rows, others) = table.rows();
        assert_eq!((rows.len(), &*rows[0].0), (LINES, "00"));
        assert_eq!(others, (1..=8).sum::<usize>());
    }
}

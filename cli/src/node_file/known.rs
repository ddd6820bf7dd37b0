//! What is known about a node.

use std::fmt;

use peermux::setup::FailureInfo;
use peermux::{Capability, DisconnectReason, Enode, Node, NodeId, NodeRecord};
use peermux_protocols::eth;
use serde::{Deserialize, Serialize};

use super::{UnixTime, WrongEntry};

/// All that is known about a node: one line of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownNode {
    /// The node's id.
    pub node_id: NodeId,
    /// The node's key and endpoint.
    pub enode: Enode,
    /// The newest record that was found.
    pub record: Option<NodeRecord>,
    /// The source that named the node first.
    pub source: Source,
    /// The outcome of the last visit; `None` if there was none.
    pub outcome: Option<Outcome>,
    /// The client name in the node's Hello.
    pub client: Option<String>,
    /// The version of the base protocol in the node's Hello.
    pub p2p_version: Option<u64>,
    /// The node's capabilities, in the order of its Hello.
    #[serde(default, with = "capabilities")]
    pub capabilities: Vec<Capability>,
    /// The fork identifier of `eth` in the node's record.
    pub record_fork_id: Option<String>,
    /// The node's Status, if it speaks `eth`.
    pub eth: Option<EthStatus>,
    /// The round trip of a Ping, in microseconds.
    pub rtt_us: Option<u64>,
    /// The failure of the last visit, if any. It can be set although the node sent its Hello,
    /// because the node may have disconnected later. Older files name it `failure`.
    #[serde(alias = "failure")]
    pub error: Option<FailureInfo>,
    /// The time of the node's first answer.
    pub first_seen: Option<UnixTime>,
    /// The time of the node's last answer.
    pub last_seen: Option<UnixTime>,
    /// The time of the last visit.
    pub last_check: Option<UnixTime>,
    /// Grows by one with each answered visit, and halves with each other visit.
    #[serde(default)]
    pub liveness: u32,
}

impl KnownNode {
    /// Makes an entry for a node that a source has named.
    #[must_use]
    pub fn new(node: Node, source: Source) -> Self {
        let enode = node.to_enode();
        let record = match node {
            Node::Record(record) => Some(record),
            Node::Enode(_) => None,
        };
        Self {
            node_id: enode.node_id(),
            enode,
            record_fork_id: record.as_ref().and_then(fork_id),
            record,
            source,
            outcome: None,
            client: None,
            p2p_version: None,
            capabilities: Vec::new(),
            eth: None,
            rtt_us: None,
            error: None,
            first_seen: None,
            last_seen: None,
            last_check: None,
            liveness: 0,
        }
    }

    /// Checks that all parts of an entry belong to one node.
    pub(super) fn checked(mut self) -> Result<Self, WrongEntry> {
        let record = self.record.as_ref().map(NodeRecord::node_id);
        for of in [Some(self.enode.node_id()), record].into_iter().flatten() {
            if of != self.node_id {
                let got = self.node_id;
                return Err(WrongEntry::OtherId { got, of });
            }
        }
        // Take the endpoints from the record, because a URL cannot hold a second address.
        let named = self.record.as_ref().map(NodeRecord::to_enode);
        if let Some(named) = named.filter(|named| named.endpoint() == self.enode.endpoint()) {
            self.enode = named;
        }
        Ok(self)
    }

    /// Returns the reason in the Disconnect that the node sent, or that this side sent.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        self.error.as_ref()?.reason
    }

    /// Records an answer.
    pub fn seen(&mut self, at: UnixTime) {
        self.first_seen.get_or_insert(at);
        self.last_seen = self.last_seen.max(Some(at));
    }

    /// Takes the endpoint from a source if none is known; returns whether it was taken.
    pub fn take_endpoint(&mut self, enode: &Enode) -> bool {
        let known = self.record.is_some() || self.enode.tcp_endpoint().is_some();
        let is_news = !known && enode.tcp_endpoint().is_some();
        if is_news {
            self.enode = enode.clone();
        }
        is_news
    }

    /// Takes a record, and the endpoint in it, if the record is newer.
    pub fn take_record(&mut self, record: NodeRecord) {
        let known = self.record.as_ref().map(NodeRecord::seq);
        if record.node_id() != self.node_id || known >= Some(record.seq()) {
            return;
        }
        let enode = record.to_enode();
        if enode.endpoint().is_some() {
            self.enode = enode;
        }
        self.record_fork_id = fork_id(&record);
        self.record = Some(record);
    }
}

fn fork_id(record: &NodeRecord) -> Option<String> {
    eth::ForkId::of_record(record).map(|id| id.to_string())
}

/// Reads and writes capabilities as JSON objects, as in all other output.
mod capabilities {
    use peermux::Capability;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Entry<N> {
        name: N,
        version: u64,
    }

    pub(super) fn serialize<S: Serializer>(
        capabilities: &[Capability],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(capabilities.iter().map(|capability| Entry {
            name: capability.name(),
            version: capability.version(),
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Capability>, D::Error> {
        let entries = Vec::<Entry<String>>::deserialize(deserializer)?;
        let capability = |entry: Entry<String>| Capability::new(entry.name, entry.version);
        Ok(entries.into_iter().map(capability).collect())
    }
}

/// The source that named a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The user.
    Bootnode,
    /// A file.
    File,
    /// A list in the DNS.
    Dns,
    /// Discovery v4.
    V4,
    /// Discovery v5.
    V5,
}

/// The outcome of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The node sent its Hello.
    Met,
    /// The node sent a Disconnect instead of its Hello.
    Refused,
    /// The node proved its key, and then sent no valid Hello with its own id.
    BadHello,
    /// The node closed the connection during the handshake.
    HungUp,
    /// The node accepted the connection, and sent nothing.
    Silent,
    /// The answer is not an RLPx handshake with the node's key.
    NotRlpx,
    /// The node's machine refused the connection.
    ConnectionRefused,
    /// The connection timed out.
    TimedOut,
    /// There is no route to the node.
    Unreachable,
    /// The node's host name has no address.
    NotResolved,
    /// The connection failed in another way, perhaps on this side.
    ConnectionFailed,
    /// The node was not dialled: it accepts no connections, or its address is not permitted.
    NotDialled,
}

impl Outcome {
    /// Returns whether the outcome proves that the node exists at its address.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Met | Self::Refused | Self::BadHello)
    }

    /// Returns the name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Refused => "refused",
            Self::BadHello => "bad_hello",
            Self::HungUp => "hung_up",
            Self::Silent => "silent",
            Self::NotRlpx => "not_rlpx",
            Self::ConnectionRefused => "connection_refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::NotResolved => "not_resolved",
            Self::ConnectionFailed => "connection_failed",
            Self::NotDialled => "not_dialled",
        }
    }
}

/// Formats the outcome for people.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Refused => "refused",
            Self::BadHello => "bad hello",
            Self::HungUp => "hung up on the handshake",
            Self::Silent => "no answer to the handshake",
            Self::NotRlpx => "does not speak RLPx, or has another key",
            Self::ConnectionRefused => "connection refused",
            Self::TimedOut => "no connection in time",
            Self::Unreachable => "unreachable",
            Self::NotResolved => "name not resolved",
            Self::ConnectionFailed => "connection failed",
            Self::NotDialled => "not dialled",
        })
    }
}

/// The Status of a node that speaks `eth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EthStatus {
    /// The version of `eth`.
    pub version: u64,
    /// The network's number.
    pub network: u64,
    /// The hash of the first block.
    pub genesis: String,
    /// The fork identifier: a checksum, and the next fork.
    pub fork_id: String,
    /// The hash of the newest block.
    pub head: String,
    /// The number of the newest block. `eth/68` does not transmit it.
    pub latest: Option<u64>,
}

impl From<&eth::Status> for EthStatus {
    fn from(status: &eth::Status) -> Self {
        Self {
            version: status.version,
            network: status.network,
            genesis: status.genesis.to_string(),
            fork_id: status.fork_id.to_string(),
            head: status.head.to_string(),
            latest: status.blocks.map(|(_, latest)| latest),
        }
    }
}

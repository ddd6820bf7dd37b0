//! What is known of a node.

use std::fmt;

use peermux::setup::FailureInfo;
use peermux::{Capability, DisconnectReason, Enode, Node, NodeId, NodeRecord};
use peermux_protocols::eth;
use serde::{Deserialize, Serialize};

use super::{UnixTime, WrongEntry};

/// All that is known of a node: a line of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownNode {
    /// Its id.
    pub node_id: NodeId,
    /// Its key, and where it is.
    pub enode: Enode,
    /// The newest record that was found.
    pub record: Option<NodeRecord>,
    /// Who named it first.
    pub source: Source,
    /// What came of the last visit; `None` if there was none.
    pub outcome: Option<Outcome>,
    /// What it calls its software.
    pub client: Option<String>,
    /// Its version of the base protocol.
    pub p2p_version: Option<u64>,
    /// What it speaks, in the order of its Hello.
    #[serde(default, with = "capabilities")]
    pub capabilities: Vec<Capability>,
    /// The fork identifier of `eth` in its record.
    pub record_fork_id: Option<String>,
    /// What it says of its chain, if it speaks `eth`.
    pub eth: Option<EthStatus>,
    /// How long it took to answer a Ping, in microseconds.
    pub rtt_us: Option<u64>,
    /// What went wrong at the last visit, if anything did. A node that was met may have disconnected.
    pub failure: Option<FailureInfo>,
    /// When it answered first.
    pub first_seen: Option<UnixTime>,
    /// When it answered last.
    pub last_seen: Option<UnixTime>,
    /// When it was visited last.
    pub last_check: Option<UnixTime>,
    /// One more for each visit at which it answered, half for each at which it did not.
    #[serde(default)]
    pub liveness: u32,
}

impl KnownNode {
    /// A node of which nothing is known but what names it.
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
            failure: None,
            first_seen: None,
            last_seen: None,
            last_check: None,
            liveness: 0,
        }
    }

    /// Checks that its parts are of one node, as it was read.
    pub(super) fn checked(mut self) -> Result<Self, WrongEntry> {
        let record = self.record.as_ref().map(NodeRecord::node_id);
        for of in [Some(self.enode.node_id()), record].into_iter().flatten() {
            if of != self.node_id {
                let got = self.node_id;
                return Err(WrongEntry::OtherId { got, of });
            }
        }
        // The URL has no place for a second address.
        let named = self.record.as_ref().map(NodeRecord::to_enode);
        if let Some(named) = named.filter(|named| named.endpoint() == self.enode.endpoint()) {
            self.enode = named;
        }
        Ok(self)
    }

    /// The reason in its Disconnect, or in ours, if one was sent.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        self.failure.as_ref()?.reason
    }

    /// Notes that it has answered.
    pub fn seen(&mut self, at: UnixTime) {
        self.first_seen.get_or_insert(at);
        self.last_seen = self.last_seen.max(Some(at));
    }

    /// Takes where a source says that it can be dialled, if neither its record nor anybody else has said where.
    /// Returns whether it does.
    pub fn take_endpoint(&mut self, enode: &Enode) -> bool {
        let known = self.record.is_some() || self.enode.tcp_endpoint().is_some();
        let is_news = !known && enode.tcp_endpoint().is_some();
        if is_news {
            self.enode = enode.clone();
        }
        is_news
    }

    /// Takes a record, if it is newer than the one that is known; it says where the node is.
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

/// Capabilities as objects, as in all other answers.
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

/// Who named a node.
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

/// What came of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It said who it is.
    Met,
    /// It sent a Disconnect in the place of its Hello.
    Refused,
    /// It proved its key, and then said something that is no Hello, or another node's.
    BadHello,
    /// It closed the connection without a word.
    HungUp,
    /// It took the connection and said nothing.
    Silent,
    /// What it answered is no handshake of RLPx for this key.
    NotRlpx,
    /// Its machine refused the connection: nothing listens there.
    ConnectionRefused,
    /// No connection came about in time.
    TimedOut,
    /// There is no way there.
    Unreachable,
    /// Its name has no address.
    NotResolved,
    /// The connection failed in another way, perhaps here.
    ConnectionFailed,
    /// It was not dialled: it takes no connections, or is at an address that is not to be dialled.
    NotDialled,
}

impl Outcome {
    /// Whether the node has proven that it is there.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Met | Self::Refused | Self::BadHello)
    }

    /// As files have it.
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

/// For people.
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

/// What a node says of its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EthStatus {
    /// The version of `eth`.
    pub version: u64,
    /// The network's number.
    pub network: u64,
    /// The hash of the first block.
    pub genesis: String,
    /// The fork identifier, checksum and next fork.
    pub fork_id: String,
    /// The hash of the newest block.
    pub head: String,
    /// The number of the newest block, which `eth/68` does not tell.
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

use std::net::SocketAddr;
use std::time::Duration;

use super::NetList;
use super::gate::Seats;
use crate::channel::MemoryLimits;
use crate::connmgr::admission::{AdmissionConfig, is_local};
use crate::connmgr::{Backoff, ConnConfig, Rate, RetryPolicy};
use crate::node::Enode;
use crate::peer::PeerConfig;
use crate::transport::SocketOptions;

/// The numbers, times and lists of a [`Server`](super::Server). What cannot be written down, such as
/// protocols and dialers, is given to its [builder](super::ServerBuilder).
///
/// With the feature `serde` it can be read from a file. What is left out keeps its default, an
/// unknown field is an error, times are written `"30s"`, sizes `"4 MiB"`, networks
/// `"10.0.0.0/8, fd00::/8"`:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use peermux::ServerConfig;
///
/// let config: ServerConfig = toml::from_str(
///     r#"
///     listen = "127.0.0.1:30303"
///     max_peers = 25
///     setup_timeout = "3s"
///     net_restrict = "127.0.0.0/8"
///     peer.stall_limit = "6s"
///     socket.receive_buffer = "1 MiB"
///     "#,
/// )?;
/// assert_eq!(config.max_peers, 25);
/// assert!(toml::from_str::<ServerConfig>("max_pears = 25").is_err());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct ServerConfig {
    /// The client name in the Hello. Default: `peermux/v` and the version.
    pub name: String,
    /// Where to listen; port 0 picks a free one. Default: nowhere.
    pub listen: Option<SocketAddr>,
    /// How many peers are connected at most; further ones are refused with
    /// [`TOO_MANY_PEERS`](crate::DisconnectReason::TOO_MANY_PEERS). Default: 50.
    pub max_peers: usize,
    /// How many inbound connections may be in set-up at once; further ones wait in the kernel's
    /// queue. At least 1. Default: 50.
    pub max_pending: usize,
    /// One of so many peers' places, at least one, is kept for nodes that this one dials, and filled
    /// from its sources. Default: 0, which is 3 with a source of nodes to dial, and keeps none
    /// without.
    pub dial_ratio: usize,
    /// Whether nothing is dialled by itself: sources are not asked. Default: no.
    pub no_dial: bool,
    /// Nodes that are kept connected for ever; in a file enode URLs or node records (`enr:`).
    /// Default: none.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "enodes"))]
    pub static_nodes: Vec<Enode>,
    /// Nodes that are exempt from the limits on peers, likewise; their endpoints do not matter.
    /// Default: none.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "enodes"))]
    pub trusted_nodes: Vec<Enode>,
    /// The networks that may be talked to, in both directions. Default: all.
    pub net_restrict: Option<NetList>,
    /// How long a connection may take from its first byte to the end of both Hellos.
    /// Default: 5 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub setup_timeout: Duration,
    /// How long a stream may take to open, with resolving a name. Default: 15 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub connect_timeout: Duration,
    /// How many dials may be in flight. At least 1. Default: 50.
    pub max_dials: usize,
    /// How many nodes from sources are dialled at once, after a pause. Default: 8.
    pub dial_burst: u32,
    /// How many are dialled a second then. Default: 2.
    pub dials_per_second: u32,
    /// The least time between two dials of a node, other than by
    /// [`Server::dial`](super::Server::dial). Default: 35 s, because many nodes turn away who comes
    /// back within 30 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub redial_gap: Duration,
    /// The shortest wait after a failed dial; it doubles with each further one. Default: 5 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub retry_min: Duration,
    /// The longest. Default: 5 min.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub retry_max: Duration,
    /// The average time after which the [memory](super::NodeMemory::probe) is asked for a node that
    /// it is in doubt about, to see whether that still answers: one at a time, besides other dials.
    /// Zero, and [`no_dial`](Self::no_dial), is never. Default: 2 min.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub probe_interval: Duration,
    /// After which time an IPv4 address, or an IPv6 /64, is accepted again; zero is at once.
    /// Default: 30 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub throttle: Duration,
    /// Networks, besides local ones, whose addresses may come back at once and are not counted by
    /// network. Default: none.
    pub throttle_exempt: NetList,
    /// How many connections of one IPv4 /24 or IPv6 /64 may be in set-up. Default: 8.
    pub pending_per_network: usize,
    /// How many inbound set-ups may begin a second, and twice as many at once. Default: no limit
    /// besides [`throttle`](Self::throttle) and [`max_pending`](Self::max_pending).
    ///
    /// That follows from a measurement (`cargo bench --bench admission`; one core of an AMD EPYC
    /// server): a connection that becomes a peer and leaves takes 0.5 ms of CPU time, 1,900 a second
    /// and core, and one that is turned out because of a false auth packet 0.09 ms, 10,600 a second.
    /// As each address may come once in 30 s, a /24 causes at most 9 set-ups a second, half a per cent
    /// of a core, and to keep a core busy takes 57,000 IPv4 addresses, or one IPv6 /48. A limit that
    /// spares CPU time is one that few strangers can use up, and so keep everybody else out; where
    /// that is better than a busy core, 200 a second are a tenth of one.
    pub setups_per_second: Option<u32>,
    /// How many events a slow subscriber may be behind before it loses some. Default: 1024.
    pub event_capacity: usize,
    /// Whether each message is an event too. Default: no.
    pub message_events: bool,
    /// What one peer's received data may take: at least and by default 32 MiB.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::size"))]
    pub memory_per_peer: usize,
    /// What that of all peers may take: at least 32 MiB, by default 512 MiB.
    #[cfg_attr(feature = "serde", serde(with = "crate::units::size"))]
    pub memory_per_node: usize,
    /// What the kernel holds for a connection.
    pub socket: SocketOptions,
    /// The timing of connected peers.
    pub peer: PeerConfig,
}

/// Nodes by their enode URLs or records.
#[cfg(feature = "serde")]
fn enodes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Enode>, D::Error> {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Either(Enode);

    impl TryFrom<String> for Either {
        type Error = crate::node::NodeError;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            let node = match text.starts_with("enr:") {
                true => text.parse::<crate::node::NodeRecord>()?.to_enode(),
                false => text.parse()?,
            };
            Ok(Self(node))
        }
    }

    let nodes = Vec::<Either>::deserialize(deserializer)?;
    Ok(nodes.into_iter().map(|Either(node)| node).collect())
}

impl Default for ServerConfig {
    fn default() -> Self {
        let memory = MemoryLimits::default();
        Self {
            name: concat!("peermux/v", env!("CARGO_PKG_VERSION")).to_owned(),
            listen: None,
            max_peers: 50,
            max_pending: 50,
            dial_ratio: 0,
            no_dial: false,
            static_nodes: Vec::new(),
            trusted_nodes: Vec::new(),
            net_restrict: None,
            setup_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(15),
            max_dials: 50,
            dial_burst: 8,
            dials_per_second: 2,
            redial_gap: Duration::from_secs(35),
            retry_min: Duration::from_secs(5),
            retry_max: Duration::from_secs(300),
            probe_interval: Duration::from_secs(120),
            throttle: Duration::from_secs(30),
            throttle_exempt: NetList::default(),
            pending_per_network: 8,
            setups_per_second: None,
            event_capacity: 1024,
            message_events: false,
            memory_per_peer: memory.per_peer(),
            memory_per_node: memory.per_node(),
            socket: SocketOptions::default(),
            peer: PeerConfig::default(),
        }
    }
}

/// With sources one of so many places is kept for nodes that are dialled.
const DIAL_RATIO: usize = 3;

impl ServerConfig {
    pub(crate) fn memory(&self) -> MemoryLimits {
        MemoryLimits::default()
            .with_per_peer(self.memory_per_peer)
            .with_per_node(self.memory_per_node)
    }

    /// The places for peers. Without a source there may be nobody to dial for those kept.
    pub(crate) fn seats(&self, has_source: bool) -> Seats {
        let ratio = match self.dial_ratio {
            0 if has_source => DIAL_RATIO,
            ratio => ratio,
        };
        Seats::new(self.max_peers, ratio)
    }

    pub(crate) fn connections(&self, target: usize) -> ConnConfig {
        ConnConfig::default()
            .with_target(target)
            .with_max_dials(self.max_dials)
            .with_dial_timeout(self.connect_timeout)
            .with_dial_rate(Rate::new(self.dial_burst, self.dials_per_second))
            .with_min_gap(self.redial_gap)
            .with_backoff(self.backoff())
    }

    pub(crate) fn retry(&self) -> RetryPolicy {
        RetryPolicy::default()
            .with_backoff(self.backoff())
            .with_min_gap(self.redial_gap)
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.retry_min, self.retry_max)
    }

    pub(crate) fn admission(&self) -> AdmissionConfig {
        let exempt = self.throttle_exempt.clone();
        let unlimited = Rate::new(u32::MAX, u32::MAX);
        let rate = |a_second: u32| Rate::new(a_second.saturating_mul(2), a_second);
        AdmissionConfig::default()
            .with_revisit(self.throttle)
            .with_exempt(move |ip| is_local(ip) || exempt.contains(ip))
            .with_incomplete_per_prefix(self.pending_per_network)
            .with_rate(self.setups_per_second.map_or(unlimited, rate))
    }
}

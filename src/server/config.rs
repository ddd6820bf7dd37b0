use std::net::SocketAddr;
use std::time::Duration;

use super::checks::Seats;
use super::{Advertised, NetList};
use crate::channel::MemoryLimits;
use crate::connmgr::admission::{AdmissionConfig, is_local};
use crate::connmgr::{Backoff, ConnConfig, Rate, RetryPolicy};
use crate::node::Enode;
use crate::peer::PeerConfig;
use crate::settings::{TooSmall, settings};
use crate::transport::SocketOptions;

settings! {
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
    ///     dial_rate = { burst = 8, per_second = 2 }
    ///     setup_timeout = "3s"
    ///     net_restrict = "127.0.0.0/8"
    ///     peer.stall_limit = "6s"
    ///     socket.receive_buffer = "1 MiB"
    ///     "#,
    /// )?;
    /// assert_eq!(config.max_peers(), 25);
    /// assert!(toml::from_str::<ServerConfig>("max_pears = 25").is_err());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct ServerConfig {
        /// The client name in the Hello. Default: `peermux/v` and the version.
        name / with_name: String => &str = concat!("peermux/v", env!("CARGO_PKG_VERSION")).to_owned();
        /// Where to listen; port 0 picks a free one. Default: nowhere.
        listen / with_listen: Option<SocketAddr> => &Option<SocketAddr> = None;
        /// Where other nodes can dial this one, if that is not where it listens: behind a router, in a
        /// container, or on all addresses. Default: the address that it listens on.
        advertise / with_advertise: Option<Advertised> => &Option<Advertised> = None;
        /// How many peers are connected at most; further ones are refused with
        /// [`TOO_MANY_PEERS`](crate::DisconnectReason::TOO_MANY_PEERS). Default: 50.
        max_peers / with_max_peers: usize = 50;
        /// How many inbound connections may be in set-up at once; further ones wait in the kernel's
        /// queue, and meanwhile the oldest goes that has not sent a byte within a second. One in eight is
        /// kept for the addresses of static and trusted nodes. At least 1. Default: 50.
        max_pending / with_max_pending: usize = 50;
        /// One in this number of peers' places, rounded up, is kept for nodes that this
        /// one dials. [`usize::MAX`] keeps one. Default: 0, which stands for 3 where there is a
        /// source of nodes to dial, and keeps none where there is none.
        dial_ratio / with_dial_ratio: usize = 0;
        /// Whether nothing is dialled by itself: sources are not asked. Default: no.
        no_dial / with_no_dial: bool = false;
        /// Nodes that are kept connected for ever, see [`Server::add_static`](super::Server::add_static);
        /// in a file enode URLs or node records (`enr:`). One that cannot be kept connected, such as
        /// this node itself, is reported and left out. Their places are kept while they are not
        /// connected. Default: none.
        #[serde(deserialize_with = "enodes")]
        static_nodes / with_static_nodes: Vec<Enode> => &[Enode] = Vec::new();
        /// Nodes that are exempt from the limits on peers, see [`Server::trust`](super::Server::trust);
        /// written like static ones, and their endpoints do not matter. Default: none.
        #[serde(deserialize_with = "enodes")]
        trusted_nodes / with_trusted_nodes: Vec<Enode> => &[Enode] = Vec::new();
        /// The networks that may be talked to, in both directions. Default: all.
        net_restrict / with_net_restrict: Option<NetList> => &Option<NetList> = None;
        /// How long a connection may take from its first byte to the end of both Hellos.
        /// Default: 5 s.
        #[serde(with = "crate::units::duration")]
        setup_timeout / with_setup_timeout: Duration = Duration::from_secs(5);
        /// How long a stream may take to open, with resolving a name; more than nothing.
        /// Default: 15 s.
        #[serde(with = "crate::units::duration")]
        dial_timeout / with_dial_timeout: Duration = Duration::from_secs(15);
        /// How many dials may be in flight. At least 1. Default: 50.
        max_dials / with_max_dials: usize = 50;
        /// How fast nodes from sources are dialled. Default: 8 at once, then 2 a second.
        dial_rate / with_dial_rate: Rate = Rate::new(8, 2);
        /// The least time between two dials of a node, other than by
        /// [`Server::dial`](super::Server::dial). Default: 35 s, because many nodes refuse a node
        /// that comes back within 30 s.
        #[serde(with = "crate::units::duration")]
        redial_gap / with_redial_gap: Duration = Duration::from_secs(35);
        /// How long a static node waits after a dial that failed or a connection that ended, and
        /// dials of nodes from sources while the network is down. Default: 5 s, doubling to 5 min.
        backoff / with_backoff: Backoff = Backoff::default();
        /// The average time after which the [store](super::NodeStore::probe) is asked for a node
        /// that it is in doubt about, to see whether that still answers: one at a time, besides
        /// other dials. Zero, and [`no_dial`](Self::with_no_dial), is never. Default: 2 min.
        #[serde(with = "crate::units::duration")]
        probe_interval / with_probe_interval: Duration = Duration::from_secs(120);
        /// After which time an IPv4 address, or an IPv6 /64, is accepted again; zero is at once.
        /// Default: 30 s.
        #[serde(with = "crate::units::duration")]
        throttle / with_throttle: Duration = Duration::from_secs(30);
        /// Networks, besides local ones, whose addresses may come back at once and are not counted
        /// by network. Default: none.
        throttle_exempt / with_throttle_exempt: NetList => &NetList = NetList::default();
        /// Whether addresses of this machine and of private networks are exempt in the same way. Behind
        /// something that hides where connections come from, such as a container's port mapping, all
        /// strangers have one such address; then say no. Default: yes, with a warning when many nodes
        /// connect from one private address.
        exempt_local / with_exempt_local: bool = true;
        /// Networks whose nodes are no strangers, such as those of a data centre of one's own. A connection
        /// from there may come back at once, is counted in no limit of a network and of no rate, may
        /// take one of the set-ups that are kept for known addresses and a place that is kept for
        /// dialled peers, and never gives its place to a newcomer. What holds for it all the same
        /// are [`max_peers`](Self::with_max_peers), [`max_pending`](Self::with_max_pending),
        /// [`net_restrict`](Self::with_net_restrict) and bans. It goes by the address that a connection
        /// comes from, not by node; [trusted](Self::with_trusted_nodes) nodes go by their key.
        /// Default: none.
        whitelist / with_whitelist: NetList => &NetList = NetList::default();
        /// How many connections of one IPv4 /24 or IPv6 /64 may be in set-up. Default: 8.
        pending_per_network / with_pending_per_network: usize = 8;
        /// How fast inbound set-ups may begin. Default: [`Rate::UNLIMITED`], besides
        /// [`throttle`](Self::with_throttle) and [`max_pending`](Self::with_max_pending).
        ///
        /// That follows from a measurement (`cargo bench --bench admission`; one core of an AMD EPYC
        /// server): a connection that becomes a peer and leaves takes 0.5 ms of CPU time, 1,900 a
        /// second and core, and one that is refused because of a false auth packet 0.09 ms, 10,600 a
        /// second. As each address may come once in 30 s, a /24 causes at most 9 set-ups a second,
        /// half a per cent of a core, and to keep a core busy takes 57,000 IPv4 addresses, or one
        /// IPv6 /48. A limit that spares CPU time is one that few strangers can use up, and so keep
        /// everybody else out; where that is better than a busy core, 200 a second are a tenth of
        /// one.
        setup_rate / with_setup_rate: Rate = Rate::UNLIMITED;
        /// A score above this, by [`Peer::penalise`](crate::Peer::penalise), ends a peer and bans its node.
        /// Default: 100.
        ban_above / with_ban_above: u32 = 100;
        /// How long such a ban lasts. Default: 1 h.
        #[serde(with = "crate::units::duration")]
        ban_time / with_ban_time: Duration = Duration::from_secs(60 * 60);
        /// How many events a slow subscriber may be behind before it loses some; at least 1. More
        /// than 65,536 are taken as that. Default: 1024.
        event_capacity / with_event_capacity: usize = 1024;
        /// Whether each message is an event too. Default: no.
        message_events / with_message_events: bool = false;
        /// What received data and messages to send may take, for one peer and for all.
        memory / with_memory: MemoryLimits = MemoryLimits::default();
        /// What the kernel holds for a connection. A [dialer](super::ServerBuilder::dialer) of your
        /// own has its own options.
        socket / with_socket: SocketOptions = SocketOptions::default();
        /// The timing of connected peers.
        peer / with_peer: PeerConfig = PeerConfig::default();
    }
}

/// Nodes by their enode URLs or records. No error repeats what was given: it may be a key.
#[cfg(feature = "serde")]
fn enodes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Enode>, D::Error> {
    use serde::de::{Error, SeqAccess, Visitor};

    struct Nodes;

    impl<'de> Visitor<'de> for Nodes {
        type Value = Vec<Enode>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of enode URLs or node records")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
            let mut nodes = Vec::new();
            while let Some(text) = texts.next_element::<String>()? {
                nodes.push(enode(&text).map_err(A::Error::custom)?);
            }
            Ok(nodes)
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom(
                "a single text, expected a list of enode URLs or node records",
            ))
        }
    }

    deserializer.deserialize_seq(Nodes)
}

#[cfg(feature = "serde")]
fn enode(text: &str) -> Result<Enode, crate::node::NodeError> {
    Ok(match text.starts_with("enr:") {
        true => text.parse::<crate::node::NodeRecord>()?.to_enode(),
        false => text.parse()?,
    })
}

/// With sources one place in this number is kept for nodes that are dialled.
const DIAL_RATIO: usize = 3;

impl ServerConfig {
    /// Checks that all numbers and times can work, as the start of a server does.
    ///
    /// # Errors
    /// [`TooSmall`] names the first that cannot.
    pub fn check(&self) -> Result<(), TooSmall> {
        self.memory.check()?;
        TooSmall::check("max_pending", self.max_pending, 1)?;
        TooSmall::check("max_dials", self.max_dials, 1)?;
        TooSmall::check("dial_timeout", self.dial_timeout, Duration::from_nanos(1))?;
        TooSmall::check("event_capacity", self.event_capacity, 1)
    }

    /// The places for peers. Without a source there may be nobody to dial for those kept.
    pub(super) fn seats(&self, has_source: bool) -> Seats {
        let ratio = match self.dial_ratio {
            0 if has_source => DIAL_RATIO,
            ratio => ratio,
        };
        Seats::new(self.max_peers, ratio)
    }

    pub(super) fn connections(&self, target: usize) -> ConnConfig {
        ConnConfig::default()
            .with_target(target)
            .with_max_dials(self.max_dials)
            .with_dial_timeout(self.dial_timeout)
            .with_dial_rate(self.dial_rate)
            .with_redial_gap(self.redial_gap)
            .with_backoff(self.backoff)
    }

    pub(super) fn retry(&self) -> RetryPolicy {
        RetryPolicy::default()
            .with_backoff(self.backoff)
            .with_redial_gap(self.redial_gap)
    }

    pub(super) fn admission(&self) -> AdmissionConfig {
        let exempt = self.throttle_exempt.clone().with(&self.whitelist);
        let exempt_local = self.exempt_local;
        AdmissionConfig::default()
            .with_throttle(self.throttle)
            .with_exempt(move |ip| exempt_local && is_local(ip) || exempt.contains(ip))
            .with_pending_per_network(self.pending_per_network)
            .with_setup_rate(self.setup_rate)
    }
}

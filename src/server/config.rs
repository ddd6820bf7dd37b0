use std::net::{IpAddr, SocketAddr};
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
    /// The configuration of a [`Server`](super::Server).
    ///
    /// Protocols, dialers and similar parts are set with the [builder](super::ServerBuilder).
    ///
    /// With the feature `serde` the configuration can be read from a file. A missing field keeps
    /// its default, and an unknown field is an error. Times are written `"30s"`, sizes `"4 MiB"`,
    /// networks `"10.0.0.0/8, fd00::/8"`:
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
    #[doc(alias("timeout", "limits"))]
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct ServerConfig {
        /// The client name in the Hello. Default: `peermux/v` and the version.
        name / with_name: String => &str = concat!("peermux/v", env!("CARGO_PKG_VERSION")).to_owned();
        /// The listening address; port 0 picks a free port. Default: the node does not listen.
        listen / with_listen: Option<SocketAddr> => &Option<SocketAddr> = None;
        /// The address at which other nodes can dial this one.
        ///
        /// Set this if the node listens behind a router, in a container, or on all addresses.
        /// Default: the listening address.
        advertise / with_advertise: Option<Advertised> => &Option<Advertised> = None;
        /// The maximum number of connected peers. Default: 50.
        ///
        /// Further connections are rejected with
        /// [`TOO_MANY_PEERS`](crate::DisconnectReason::TOO_MANY_PEERS).
        max_peers / with_max_peers: usize = 50;
        /// The maximum number of inbound connections in set-up. At least 1. Default: 50.
        ///
        /// Further connections wait in the kernel's queue. While a connection waits, a set-up is
        /// closed if its remote has made no progress for 1 s. For the auth, this limit falls to as
        /// little as 50 ms while connections arrive faster than set-ups end. One in eight set-ups
        /// is reserved for the addresses of static and trusted nodes.
        max_pending / with_max_pending: usize = 50;
        /// Fraction of the seats reserved for outbound peers: one in this number, rounded up.
        ///
        /// [`usize::MAX`] reserves one seat. Default: 0. If the server has a source of nodes to
        /// dial, 0 means 3. Otherwise, 0 reserves no seat.
        dial_ratio / with_dial_ratio: usize = 0;
        /// Disables probes, and dials of nodes from sources. Default: `false`.
        no_dial / with_no_dial: bool = false;
        /// The static nodes, see [`Server::add_static`](super::Server::add_static). Default: none.
        ///
        /// A file lists them as enode URLs or node records (`enr:`). A node that cannot be dialled,
        /// such as this node itself, is reported and skipped. Seats are reserved for static nodes
        /// that are not connected.
        #[serde(deserialize_with = "enodes")]
        static_nodes / with_static_nodes: Vec<Enode> => &[Enode] = Vec::new();
        /// The nodes that are exempt from the limits on peers. Default: none.
        ///
        /// See [`Server::trust`](super::Server::trust). A file lists trusted nodes like static
        /// nodes; the endpoints of trusted nodes do not matter.
        #[serde(deserialize_with = "enodes")]
        trusted_nodes / with_trusted_nodes: Vec<Enode> => &[Enode] = Vec::new();
        /// The permitted networks, in both directions. Default: all.
        ///
        /// If they [change](super::Server::reconfigure), connected peers stay.
        net_restrict / with_net_restrict: Option<NetList> => &Option<NetList> = None;
        /// The maximum time of a connection's set-up, up to the second Hello. Default: 5 s.
        #[serde(with = "crate::units::duration")]
        setup_timeout / with_setup_timeout: Duration = Duration::from_secs(5);
        /// The maximum time to open a stream, including name resolution. Above zero. Default: 15 s.
        #[serde(with = "crate::units::duration")]
        dial_timeout / with_dial_timeout: Duration = Duration::from_secs(15);
        /// The maximum number of dials in flight. At least 1. Default: 50.
        max_dials / with_max_dials: usize = 50;
        /// The rate at which nodes from sources are dialled. Default: 8 at once, then 2 a second.
        dial_rate / with_dial_rate: Rate = Rate::new(8, 2);
        /// The minimum time between two dials of a node. Default: 35 s.
        ///
        /// Many nodes reject a node that returns within 30 s. [`Server::dial`](super::Server::dial)
        /// ignores this minimum.
        #[serde(with = "crate::units::duration")]
        redial_gap / with_redial_gap: Duration = Duration::from_secs(35);
        /// The wait before a static node is dialled again. Default: 5 s, doubling to 5 min.
        ///
        /// This wait applies after a failed dial or the end of a connection. It also applies
        /// between dials of nodes from sources while the network is down.
        backoff / with_backoff: Backoff = Backoff::default();
        /// The average time between two probes of [doubtful nodes](super::NodeStore::probe).
        ///
        /// A probe tests whether a node of the store still answers. Only one probe runs at a time,
        /// in addition to other dials. Zero disables probes, and so does
        /// [`no_dial`](Self::with_no_dial). Default: 2 min.
        #[serde(with = "crate::units::duration")]
        probe_interval / with_probe_interval: Duration = Duration::from_secs(120);
        /// The minimum time between two accepted connections from an address. Default: 30 s.
        ///
        /// This minimum applies to each IPv4 address or IPv6 /64. Zero disables the minimum.
        #[serde(with = "crate::units::duration")]
        throttle / with_throttle: Duration = Duration::from_secs(30);
        /// Non-local networks that are exempt from the limits on strangers. Default: none.
        ///
        /// Addresses in these networks may connect again at once, and do not count towards the
        /// limits on connections from one network.
        throttle_exempt / with_throttle_exempt: NetList => &NetList = NetList::default();
        /// Whether local addresses are exempt [in the same way](Self::with_throttle_exempt).
        ///
        /// Local addresses are those of this machine and of private networks. Behind a proxy or a
        /// container's port mapping, all strangers connect from one local address, so set this to
        /// `false` there. Default: `true`, with a warning if many nodes connect from one private
        /// address.
        exempt_local / with_exempt_local: bool = true;
        /// Networks with nodes that are not strangers, such as your own data centre. Default: none.
        ///
        /// Nodes in these networks may connect again at once, and count towards no rate and no
        /// limit per network. They may use set-ups reserved for known addresses and seats reserved
        /// for dialled peers. They are never evicted for a newcomer.
        /// [`max_peers`](Self::with_max_peers), [`max_pending`](Self::with_max_pending),
        /// [`net_restrict`](Self::with_net_restrict) and bans still apply. The whitelist identifies
        /// nodes by remote address; [trusted](Self::with_trusted_nodes) nodes are identified by
        /// key.
        whitelist / with_whitelist: NetList => &NetList = NetList::default();
        /// The maximum number of connections in set-up per IPv4 /24 or IPv6 /64. Default: 8.
        pending_per_network / with_pending_per_network: usize = 8;
        /// The rate at which inbound set-ups may begin. Default: [`Rate::UNLIMITED`].
        ///
        /// [`throttle`](Self::with_throttle) and [`max_pending`](Self::with_max_pending) also
        /// apply.
        ///
        /// The default is based on a measurement (`cargo bench --bench admission`; one core of an
        /// AMD EPYC server). A connection that becomes a peer and leaves takes 0.5 ms of CPU time,
        /// so a core handles 1,900 a second. A connection that is rejected because of an invalid
        /// auth packet takes 0.09 ms, so a core handles 10,600 a second. Each address may connect
        /// once in 30 s, so a /24 causes at most 9 set-ups a second, half a per cent of a core. It
        /// takes 57,000 IPv4 addresses, or one IPv6 /48, to keep a core busy. With a limit that
        /// saves CPU time, a few strangers can use up the limit and keep all others out. If you
        /// prefer this risk to a busy core, 200 set-ups a second take a tenth of a core.
        setup_rate / with_setup_rate: Rate = Rate::UNLIMITED;
        /// The score above which a peer is disconnected and its node banned. Default: 100.
        ///
        /// [`Peer::penalise`](crate::Peer::penalise) adds to the score.
        ban_above / with_ban_above: u32 = 100;
        /// How long [such a ban](Self::with_ban_above) lasts. Default: 1 h.
        #[serde(with = "crate::units::duration")]
        ban_time / with_ban_time: Duration = Duration::from_secs(60 * 60);
        /// How many events a slow subscriber may lag behind before it loses some. Default: 1024.
        ///
        /// At least 1; more than 65,536 counts as 65,536.
        event_capacity / with_event_capacity: usize = 1024;
        /// Whether an event is emitted for each message. Default: `false`.
        message_events / with_message_events: bool = false;
        /// The memory limits for received data and unsent messages, per peer and in total.
        memory / with_memory: MemoryLimits = MemoryLimits::default();
        /// The kernel's buffer sizes for each connection.
        ///
        /// These sizes do not apply to your own [dialer](super::ServerBuilder::dialer).
        socket / with_socket: SocketOptions = SocketOptions::default();
        /// The timing of connected peers.
        peer / with_peer: PeerConfig = PeerConfig::default();
    }
}

/// Reads nodes as enode URLs or records. Errors do not repeat the text, since the text may be a
/// key.
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
    Ok(if text.starts_with("enr:") {
        text.parse::<crate::node::NodeRecord>()?.to_enode()
    } else {
        text.parse()?
    })
}

/// The dial ratio of a server with sources, if none is set.
const DIAL_RATIO: usize = 3;

impl ServerConfig {
    /// Checks that no setting is too small, as the start of a server does.
    ///
    /// # Errors
    /// [`TooSmall`] for the first setting that is too small.
    pub fn check(&self) -> Result<(), TooSmall> {
        self.memory.check()?;
        TooSmall::check("max_pending", self.max_pending, 1)?;
        TooSmall::check("max_dials", self.max_dials, 1)?;
        TooSmall::check("dial_timeout", self.dial_timeout, Duration::from_nanos(1))?;
        TooSmall::check("event_capacity", self.event_capacity, 1)
    }

    /// Returns the seats for peers. By default, no seat is reserved without a source, since
    /// reserved seats might stay empty.
    pub(super) fn seats(&self, has_source: bool) -> Seats {
        let ratio = match self.dial_ratio {
            0 if has_source => DIAL_RATIO,
            ratio => ratio,
        };
        Seats::new(self.max_peers, ratio)
    }

    /// Returns whether an address is in the permitted networks.
    pub(super) fn permits(&self, ip: IpAddr) -> bool {
        let permitted = self.net_restrict.as_ref();
        permitted.is_none_or(|networks| networks.contains(ip))
    }

    /// Returns whether an address is exempt from the limits on strangers.
    pub(super) fn exempts(&self, ip: IpAddr) -> bool {
        self.exempt_local && is_local(ip) || self.exempts_by_name(ip)
    }

    /// Returns whether an address is exempt only because it is local.
    pub(super) fn exempts_as_local(&self, ip: IpAddr) -> bool {
        self.exempt_local && is_local(ip) && !self.exempts_by_name(ip)
    }

    fn exempts_by_name(&self, ip: IpAddr) -> bool {
        self.throttle_exempt.contains(ip) || self.whitelist.contains(ip)
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
        AdmissionConfig::default()
            .with_throttle(self.throttle)
            // The server asks for addresses that are not exempt only.
            .with_exempt(|_| false)
            .with_pending_per_network(self.pending_per_network)
            .with_setup_rate(self.setup_rate)
    }
}

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
    /// The configuration of a [`Server`](super::Server).
    ///
    /// Protocols, dialers and the like are set with the [builder](super::ServerBuilder).
    ///
    /// With the feature `serde` it can be read from a file. A missing field keeps its default, and
    /// an unknown field is an error. Times are written `"30s"`, sizes `"4 MiB"`, networks
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
        /// Set it if the node listens behind a router, in a container, or on all addresses.
        /// Default: the listening address.
        advertise / with_advertise: Option<Advertised> => &Option<Advertised> = None;
        /// The maximum number of connected peers. Default: 50.
        ///
        /// Further ones are rejected with
        /// [`TOO_MANY_PEERS`](crate::DisconnectReason::TOO_MANY_PEERS).
        max_peers / with_max_peers: usize = 50;
        /// How many inbound connections may be in set-up at once. At least 1. Default: 50.
        ///
        /// Further ones wait in the kernel's queue. While one waits, a set-up is closed whose
        /// remote has made no step for 1 s. For the auth the limit falls to 50 ms while connections
        /// arrive faster than set-ups end. One in eight set-ups is reserved for the addresses of
        /// static and trusted nodes.
        max_pending / with_max_pending: usize = 50;
        /// Fraction of the seats reserved for outbound peers: one in this number, rounded up.
        ///
        /// [`usize::MAX`] reserves one. Default: 0, which means 3 if the server has a source of
        /// nodes to dial, else no reservation.
        dial_ratio / with_dial_ratio: usize = 0;
        /// Whether the server dials no nodes from sources, and probes none. Default: `false`.
        no_dial / with_no_dial: bool = false;
        /// The static nodes, see [`Server::add_static`](super::Server::add_static). Default: none.
        ///
        /// A file names them by enode URLs or node records (`enr:`). A node that cannot be dialled,
        /// such as this node itself, is reported and skipped. Their seats are reserved while they
        /// are not connected.
        #[serde(deserialize_with = "enodes")]
        static_nodes / with_static_nodes: Vec<Enode> => &[Enode] = Vec::new();
        /// The nodes that are exempt from the limits on peers. Default: none.
        ///
        /// See [`Server::trust`](super::Server::trust). A file names them like static nodes; their
        /// endpoints do not matter.
        #[serde(deserialize_with = "enodes")]
        trusted_nodes / with_trusted_nodes: Vec<Enode> => &[Enode] = Vec::new();
        /// The permitted networks, in both directions. Default: all.
        net_restrict / with_net_restrict: Option<NetList> => &Option<NetList> = None;
        /// The longest time of a connection's set-up, to the second Hello. Default: 5 s.
        #[serde(with = "crate::units::duration")]
        setup_timeout / with_setup_timeout: Duration = Duration::from_secs(5);
        /// The longest time to open a stream, including name resolution. Above zero. Default: 15 s.
        #[serde(with = "crate::units::duration")]
        dial_timeout / with_dial_timeout: Duration = Duration::from_secs(15);
        /// How many dials may be in flight. At least 1. Default: 50.
        max_dials / with_max_dials: usize = 50;
        /// How fast nodes from sources are dialled. Default: 8 at once, then 2 a second.
        dial_rate / with_dial_rate: Rate = Rate::new(8, 2);
        /// The shortest time between two dials of a node. Default: 35 s.
        ///
        /// Many nodes reject a node that returns within 30 s. [`Server::dial`](super::Server::dial)
        /// does not wait for it.
        #[serde(with = "crate::units::duration")]
        redial_gap / with_redial_gap: Duration = Duration::from_secs(35);
        /// The wait before a static node is dialled again. Default: 5 s, doubling to 5 min.
        ///
        /// It follows a failed dial or the end of a connection. It is also the wait between dials
        /// of nodes from sources while the network is down.
        backoff / with_backoff: Backoff = Backoff::default();
        /// The average time between two probes of [doubtful nodes](super::NodeStore::probe).
        ///
        /// A probe tests whether a node of the store still answers. There is one at a time, besides
        /// other dials. Zero disables probes, and so does [`no_dial`](Self::with_no_dial). Default:
        /// 2 min.
        #[serde(with = "crate::units::duration")]
        probe_interval / with_probe_interval: Duration = Duration::from_secs(120);
        /// The shortest time between two accepted connections of an address. Default: 30 s.
        ///
        /// It holds for an IPv4 address or an IPv6 /64. Zero disables it.
        #[serde(with = "crate::units::duration")]
        throttle / with_throttle: Duration = Duration::from_secs(30);
        /// Networks, besides local ones, that are exempt from the limits on strangers. Default:
        /// none.
        ///
        /// Their addresses may return at once, and do not count for the limits of their networks.
        throttle_exempt / with_throttle_exempt: NetList => &NetList = NetList::default();
        /// Whether local addresses are exempt [in the same way](Self::with_throttle_exempt).
        ///
        /// These are the addresses of this machine and of private networks. Set this to `false`
        /// behind a proxy or a container's port mapping, since all strangers then have one such
        /// address. Default: `true`, with a warning when many nodes connect from one private
        /// address.
        exempt_local / with_exempt_local: bool = true;
        /// Networks whose nodes are no strangers, such as your own data centre. Default: none.
        ///
        /// A connection from there may return at once, and counts for no limit of a network and for
        /// no rate. It may take a set-up that is reserved for known addresses and a seat that is
        /// reserved for dialled peers, and is never evicted for a newcomer.
        /// [`max_peers`](Self::with_max_peers), [`max_pending`](Self::with_max_pending),
        /// [`net_restrict`](Self::with_net_restrict) and bans still apply. The whitelist goes by
        /// the remote address; [trusted](Self::with_trusted_nodes) nodes go by their key.
        whitelist / with_whitelist: NetList => &NetList = NetList::default();
        /// How many connections of one IPv4 /24 or IPv6 /64 may be in set-up. Default: 8.
        pending_per_network / with_pending_per_network: usize = 8;
        /// How fast inbound set-ups may begin. Default: [`Rate::UNLIMITED`].
        ///
        /// [`throttle`](Self::with_throttle) and [`max_pending`](Self::with_max_pending) apply
        /// besides.
        ///
        /// The default follows from a measurement (`cargo bench --bench admission`; one core of an
        /// AMD EPYC server). A connection that becomes a peer and leaves takes 0.5 ms of CPU time,
        /// 1,900 a second and core. One that is rejected because of a false auth packet takes 0.09
        /// ms, 10,600 a second. Each address may connect once in 30 s, so a /24 causes at most 9
        /// set-ups a second, half a per cent of a core. To keep a core busy takes 57,000 IPv4
        /// addresses, or one IPv6 /48. A few strangers can use up a limit that saves CPU time, and
        /// so keep all others out. If that is better than a busy core, 200 a second are a tenth of
        /// one.
        setup_rate / with_setup_rate: Rate = Rate::UNLIMITED;
        /// The score above which a peer is disconnected and its node banned. Default: 100.
        ///
        /// [`Peer::penalise`](crate::Peer::penalise) adds to the score.
        ban_above / with_ban_above: u32 = 100;
        /// How long [such a ban](Self::with_ban_above) lasts. Default: 1 h.
        #[serde(with = "crate::units::duration")]
        ban_time / with_ban_time: Duration = Duration::from_secs(60 * 60);
        /// How many events a slow subscriber may be behind before it loses some. Default: 1024.
        ///
        /// At least 1; more than 65,536 counts as 65,536.
        event_capacity / with_event_capacity: usize = 1024;
        /// Whether each message is an event too. Default: `false`.
        message_events / with_message_events: bool = false;
        /// The memory limits for received data and messages to send, per peer and in total.
        memory / with_memory: MemoryLimits = MemoryLimits::default();
        /// The kernel's buffers of a connection.
        ///
        /// They do not apply to your own [dialer](super::ServerBuilder::dialer).
        socket / with_socket: SocketOptions = SocketOptions::default();
        /// The timing of connected peers.
        peer / with_peer: PeerConfig = PeerConfig::default();
    }
}

/// Reads nodes as enode URLs or records. Errors do not repeat the text, which may be a key.
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
    /// [`TooSmall`] with the first setting that is.
    pub fn check(&self) -> Result<(), TooSmall> {
        self.memory.check()?;
        TooSmall::check("max_pending", self.max_pending, 1)?;
        TooSmall::check("max_dials", self.max_dials, 1)?;
        TooSmall::check("dial_timeout", self.dial_timeout, Duration::from_nanos(1))?;
        TooSmall::check("event_capacity", self.event_capacity, 1)
    }

    /// The seats for peers. Without a source, reserved seats might stay empty.
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

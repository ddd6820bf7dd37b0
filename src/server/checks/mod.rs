//! Decides which nodes may be dialled and accepted.
//!
//! The checks run whenever their result may have changed. They run when a dial is requested, and
//! again when the dial begins, since the dial may have been queued for long. They run after the
//! auth, since the remote's identity is then known, and since another connection to the same node
//! may have been made. They run again when the peer takes its seat, since the last seat may have
//! been taken.

#[cfg(feature = "addrbook")]
mod address_book;
mod ban_info;
mod bans;
mod eviction;
mod known_ips;
mod net_list;
mod node_store;
mod peer_set;
mod scores;
mod tie_break;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use ban_info::BanInfo;
pub use net_list::{NetList, NetListError};
pub use node_store::{NodeStore, StoreSizes};

pub(crate) use bans::Bans;
pub(crate) use known_ips::KnownIps;
pub(crate) use node_store::{Guarded, NoStore};
pub(crate) use peer_set::{ENDING, Inbound, PeerSet, Seat, Seats};
pub(crate) use scores::Scores;
pub(crate) use tie_break::{Superseded, TieBreak};

use super::ServerConfig;
use super::dial::{NodeAddr, Waiters, node_of};
use crate::connmgr::admission::{Admission, Handshake};
use crate::connmgr::{Candidate, Filter, Refusal};
use crate::ip::banned_net;
use crate::mutex::Mutex;
use crate::node::{Endpoint, Enode, NodeId};
use crate::p2p::DisconnectReason;
use crate::peer::{EndCause, Judge};

/// A private address from which at least this many nodes connect is probably a proxy's.
const HIDDEN: usize = 8;

/// Checks connections. The connection manager calls the checks inside its task, so no check may
/// wait.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) own: NodeId,
    pub(crate) peers: PeerSet,
    pub(crate) waiters: Waiters,
    pub(crate) store: Arc<dyn NodeStore>,
    /// The bans that the store does not keep.
    pub(crate) bans: Bans,
    pub(crate) scores: Scores,
    /// Whether the server has a source of nodes to dial.
    pub(crate) has_source: bool,
    /// The settings in force. The checks read them here, so that all settings change at once.
    pub(crate) config: Mutex<ServerConfig>,
    pub(crate) warned_of_hidden: AtomicBool,
    pub(crate) known: KnownIps,
    pub(crate) admission: Admission,
}

impl Checks {
    /// Checks whether a node may be dialled now.
    pub(crate) fn check(&self, node: &Enode) -> Result<(), Refusal> {
        self.check_node(node)?;
        let checked = self.peers.check(&node.node_id(), None);
        checked.map_err(|reason| match reason {
            DisconnectReason::ALREADY_CONNECTED => Refusal::AlreadyConnected,
            DisconnectReason::TOO_MANY_PEERS => Refusal::LimitReached {
                limit: self.peers.seats().all,
            },
            DisconnectReason::CONNECTED_TO_SELF => Refusal::Itself,
            _ => Refusal::Stopping,
        })
    }

    /// Checks whether a node is allowed at all, regardless of the connected peers.
    pub(crate) fn check_node(&self, node: &Enode) -> Result<(), Refusal> {
        let mut endpoints = node
            .tcp_endpoints()
            .map(|endpoint| self.check_endpoint(endpoint));
        // The node is allowed if at least one endpoint is permitted.
        if let Some(refused) = endpoints.next()
            && refused.is_err()
            && endpoints.all(|checked| checked.is_err())
        {
            return refused;
        }
        if self.is_banned(&node.node_id()) {
            Err(Refusal::Banned)
        } else {
            Ok(())
        }
    }

    /// Returns the node with only its permitted endpoints.
    pub(crate) fn permitted_part(&self, node: &Enode) -> Enode {
        node.clone()
            .only(|endpoint| self.check_endpoint(endpoint).is_ok())
    }

    fn check_endpoint(&self, endpoint: &Endpoint) -> Result<(), Refusal> {
        let addr = endpoint.socket_addr();
        addr.map_or(Ok(()), |addr| self.check_ip(addr.ip()))
    }

    /// Checks whether an address is allowed at all.
    ///
    /// The dialer repeats this check with the socket's address, since a name can resolve to any
    /// address.
    pub(crate) fn check_ip(&self, ip: IpAddr) -> Result<(), Refusal> {
        if !self.config.lock().permits(ip) {
            Err(Refusal::Restricted)
        } else if self.is_banned_ip(ip) {
            Err(Refusal::Banned)
        } else {
            Ok(())
        }
    }

    /// Takes on the static and trusted nodes of a new configuration.
    ///
    /// Nodes are trusted or no longer trusted if only one of the lists has them. A node in both
    /// lists keeps its state, which may have changed since. The addresses of all nodes in the new
    /// configuration are known.
    pub(crate) fn set_known(&self, trusted_before: &[Enode], new: &ServerConfig) {
        let ids = |nodes: &[Enode]| nodes.iter().map(Enode::node_id).collect::<HashSet<_>>();
        let (before, after) = (ids(trusted_before), ids(new.trusted_nodes()));
        for id in before.difference(&after) {
            self.peers.set_trusted(*id, false);
        }
        for id in after.difference(&before) {
            self.peers.set_trusted(*id, true);
        }
        let nodes = new.static_nodes().iter().chain(new.trusted_nodes());
        self.known.configure(nodes);
    }

    pub(crate) fn is_banned(&self, id: &NodeId) -> bool {
        self.bans.holds(id) || self.store.is_banned(id)
    }

    pub(crate) fn is_banned_ip(&self, ip: IpAddr) -> bool {
        self.bans.holds_ip(ip) || self.store.is_banned_ip(ip)
    }

    /// Bans a node from now on, and disconnects it if it is connected.
    pub(crate) fn ban(&self, id: &NodeId, time: Duration, reason: &str) {
        if !self.store.ban(id, time, reason) {
            self.bans.ban(*id, time, reason);
        }
        tracing::debug!(%id, ?time, reason, "node banned");
        // The peer is looked up after the ban is stored, so that a connection in set-up is either
        // found here or sees the ban.
        if let Some(peer) = self.peers.get(id) {
            peer.end(EndCause::Banned);
        }
    }

    /// Bans an address from now on, and disconnects its peers.
    pub(crate) fn ban_ip(&self, ip: IpAddr, time: Duration, reason: &str) {
        self.keep_out(ip, time, reason);
        let net = banned_net(ip);
        for peer in self.peers.at(|ip| banned_net(ip) == net) {
            peer.end(EndCause::Banned);
        }
    }

    /// Bans an address, but does not disconnect its peers.
    fn keep_out(&self, ip: IpAddr, time: Duration, reason: &str) {
        if !self.store.ban_ip(ip, time, reason) {
            self.bans.ban_ip(ip, time, reason);
        }
        tracing::debug!(%ip, ?time, reason, "address banned");
    }

    /// Lifts the ban of a node. Returns whether there was one.
    pub(crate) fn unban(&self, id: &NodeId) -> bool {
        // Lift the ban in both places, since the store may have declined to keep an earlier ban.
        self.bans.unban(id) | self.store.unban(id)
    }

    pub(crate) fn unban_ip(&self, ip: IpAddr) -> bool {
        self.bans.unban_ip(ip) | self.store.unban_ip(ip)
    }

    /// Returns all current bans.
    pub(crate) fn all_bans(&self) -> Vec<BanInfo> {
        let mut all = self.store.bans();
        all.extend(self.bans.all());
        all
    }

    /// Begins the set-up of a connection that was accepted from `ip`.
    ///
    /// Exempt addresses do not count towards the limits of their networks, since many nodes may
    /// share such an address. For example, all programs on this machine share one. Whitelisted
    /// addresses count towards no limit.
    pub(crate) fn begin_handshake(&self, ip: IpAddr) -> Result<Option<Handshake>, Refusal> {
        let source = {
            let config = self.config.lock();
            if config.whitelist().contains(ip) {
                return Ok(None);
            }
            (!config.exempts(ip)).then_some(ip)
        };
        self.admission.handshake(source).map(Some)
    }

    /// Returns the origin of an inbound peer. An exempt address does not count towards the shares
    /// of its networks.
    pub(crate) fn inbound_from(&self, addr: Option<SocketAddr>) -> Inbound {
        let ip = addr.map(|addr| addr.ip());
        Inbound {
            ip,
            counted: ip.filter(|ip| !self.is_exempt(*ip)),
        }
    }

    /// Warns once if at least [`HIDDEN`] nodes are connected from one private address.
    ///
    /// The address is then probably a proxy's, and the nodes behind the proxy escape the limits on
    /// strangers.
    pub(crate) fn look_for_hidden(&self, ip: IpAddr) {
        if ip.is_loopback() || !self.config.lock().exempts_as_local(ip) {
            return;
        }
        let nodes = self.peers.inbound_at(ip);
        if nodes >= HIDDEN && !self.warned_of_hidden.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %ip, nodes,
                "many nodes connect from one private address, which is exempt from all limits on strangers: \
                 if it is a proxy's, set exempt_local = false"
            );
        }
    }

    /// Returns whether an address is whitelisted, or belongs to a static or trusted node.
    pub(crate) fn is_known(&self, ip: IpAddr) -> bool {
        self.config.lock().whitelist().contains(ip) || self.known.contains(ip)
    }

    fn is_exempt(&self, ip: IpAddr) -> bool {
        self.config.lock().exempts(ip)
    }
}

impl Judge for Checks {
    /// Adds to a node's score, and bans the node if the score exceeds the limit.
    ///
    /// An inbound stranger can return at once with another key, so its address is also banned. The
    /// exceptions are addresses that many nodes may share, and addresses of known nodes. Other
    /// peers that are already connected from a banned address stay, since they have not misbehaved.
    fn penalise(&self, node: &NodeId, points: u32, reason: &str) -> u32 {
        if self.peers.is_no_stranger(node) {
            return 0;
        }
        let score = self.scores.add(node, points);
        tracing::debug!(%node, points, score, reason, "penalised");
        let (limit, time) = {
            let config = self.config.lock();
            (config.ban_above(), config.ban_time())
        };
        if score > limit {
            self.scores.forget(node);
            let ip = self.peers.inbound_ip(node);
            if let Some(ip) = ip.filter(|ip| !self.is_exempt(*ip) && !self.is_known(*ip)) {
                self.keep_out(ip, time, reason);
            }
            self.ban(node, time, reason);
        }
        score
    }

    fn score(&self, node: &NodeId) -> u32 {
        self.scores.of(node)
    }
}

/// The [`Checks`] as the connection manager's filter.
pub(crate) struct ChecksFilter(pub(crate) Arc<Checks>);

impl Filter<NodeAddr> for ChecksFilter {
    fn accept(&self, addr: &NodeAddr) -> Result<(), Refusal> {
        let checks = &self.0;
        let NodeAddr::Inbound(addr) = addr else {
            return Ok(());
        };
        let ip = addr.ip();
        checks.check_ip(ip)?;
        if checks.is_exempt(ip) {
            return Ok(());
        }
        checks.admission.accept(ip)
    }

    fn dial(&self, candidate: &Candidate<NodeAddr>) -> Result<(), Refusal> {
        node_of(candidate).map_or(Ok(()), |node| self.0.check(node))
    }
}

//! Who may be talked to.
//!
//! It is asked where the answer can change: when a node is to be dialled (the request), when its turn
//! comes (a queue may be long), after the auth (now it is known who is there, or another connection
//! came first), and when the peer takes its seat (the last seat may be gone).

#[cfg(feature = "addrbook")]
mod address_book;
mod eviction;
mod known_ips;
mod net_list;
mod node_store;
mod peer_set;
mod tie_break;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use net_list::{NetList, NetListError};
pub use node_store::NodeStore;

pub(crate) use known_ips::KnownIps;
pub(crate) use node_store::{Guarded, NoStore};
pub(crate) use peer_set::{ENDING, Inbound, PeerSet, Seat, Seats};
pub(crate) use tie_break::{Superseded, TieBreak};

use super::dial::{NodeAddr, Waiters, node_of};
use crate::connmgr::admission::{Admission, Handshake, is_local};
use crate::connmgr::{Candidate, Filter, Refusal};
use crate::node::{Endpoint, Enode, NodeId};
use crate::p2p::DisconnectReason;

/// From this many nodes on, a private address is more likely that of a proxy than their own.
const HIDDEN: usize = 8;

/// What decides about connections. The connection manager asks it inside its task, so nothing here
/// waits.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) own: NodeId,
    pub(crate) peers: PeerSet,
    pub(crate) waiters: Waiters,
    pub(crate) store: Arc<dyn NodeStore>,
    pub(crate) permitted: Option<NetList>,
    pub(crate) exempt: NetList,
    pub(crate) exempt_local: bool,
    pub(crate) warned_of_hidden: AtomicBool,
    pub(crate) known: KnownIps,
    pub(crate) admission: Admission,
}

impl Checks {
    /// Whether a node may be dialled as things stand.
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

    /// Whether a node may be talked to at all, whatever is connected.
    pub(crate) fn check_node(&self, node: &Enode) -> Result<(), Refusal> {
        let mut endpoints = node
            .tcp_endpoints()
            .map(|endpoint| self.check_endpoint(endpoint));
        // One way to it is enough.
        if let Some(refused) = endpoints.next()
            && refused.is_err()
            && endpoints.all(|checked| checked.is_err())
        {
            return refused;
        }
        match self.store.is_banned(&node.node_id()) {
            true => Err(Refusal::Banned),
            false => Ok(()),
        }
    }

    /// The node with those of its endpoints that may be talked to.
    pub(crate) fn permitted_part(&self, node: &Enode) -> Enode {
        node.clone()
            .only(|endpoint| self.check_endpoint(endpoint).is_ok())
    }

    fn check_endpoint(&self, endpoint: &Endpoint) -> Result<(), Refusal> {
        let addr = endpoint.socket_addr();
        addr.map_or(Ok(()), |addr| self.check_ip(addr.ip()))
    }

    /// Whether an address may be talked to at all. It is asked again when a socket has it, since a name
    /// can lead anywhere.
    pub(crate) fn check_ip(&self, ip: IpAddr) -> Result<(), Refusal> {
        let permitted = self.permitted.as_ref();
        if permitted.is_some_and(|networks| !networks.contains(ip)) {
            Err(Refusal::Restricted)
        } else if self.store.is_banned_ip(ip) {
            Err(Refusal::Banned)
        } else {
            Ok(())
        }
    }

    /// Begins the set-up of a connection that was accepted from `ip`. Local addresses are not
    /// counted by their networks, in which everybody on this machine is.
    pub(crate) fn begin_handshake(&self, ip: IpAddr) -> Result<Handshake, Refusal> {
        let source = (!self.is_exempt(ip)).then_some(ip);
        self.admission.handshake(source)
    }

    /// Where an inbound peer comes from, for the shares of networks: not if many may have its address.
    pub(crate) fn inbound_from(&self, addr: Option<SocketAddr>) -> Inbound {
        let ip = addr.map(|addr| addr.ip());
        Inbound(ip.filter(|ip| !self.is_exempt(*ip)))
    }

    /// Warns once when [`HIDDEN`] nodes are connected from one private address: it is probably that of
    /// something in between, and nobody's limit holds.
    pub(crate) fn look_for_hidden(&self, ip: IpAddr) {
        if !self.exempt_local || ip.is_loopback() || !is_local(ip) || self.exempt.contains(ip) {
            return;
        }
        let nodes = self.peers.inbound_at(ip);
        if nodes >= HIDDEN && !self.warned_of_hidden.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %ip, nodes,
                "many nodes connect from one private address, which is exempt from all limits on strangers: \
                 if it hides where they come from, set exempt_local = false"
            );
        }
    }

    /// Whether a static or trusted node is, or was, at this address.
    pub(crate) fn is_known(&self, ip: IpAddr) -> bool {
        self.known.contains(ip)
    }

    fn is_exempt(&self, ip: IpAddr) -> bool {
        self.exempt_local && is_local(ip) || self.exempt.contains(ip)
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
        checks.check_ip(addr.ip())?;
        checks.admission.accept(addr.ip())
    }

    fn dial(&self, candidate: &Candidate<NodeAddr>) -> Result<(), Refusal> {
        node_of(candidate).map_or(Ok(()), |node| self.0.check(node))
    }
}

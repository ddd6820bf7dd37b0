//! Who may be talked to, before and while a connection comes about.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::NetList;
use super::memory::NodeMemory;
use super::node_addr::{NodeAddr, ip_of, node_of};
use super::peer_set::PeerSet;
use super::waiters::Waiters;
use crate::connmgr::admission::{Admission, Handshake, is_local};
use crate::connmgr::{Candidate, Filter, Refusal};
use crate::node::{Enode, NodeId};
use crate::p2p::DisconnectReason;
use crate::setup::Direction;

/// What decides about connections. The connection manager asks it inside its task, so nothing here
/// waits.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) own: NodeId,
    pub(crate) peers: PeerSet,
    pub(crate) waiters: Waiters,
    pub(crate) memory: Arc<dyn NodeMemory>,
    pub(crate) permitted: Option<NetList>,
    pub(crate) exempt: NetList,
    pub(crate) admission: Admission,
}

impl Gate {
    /// Whether a node may be dialled at all, whatever is connected.
    pub(crate) fn check_node(&self, node: &Enode) -> Result<(), Refusal> {
        let ip = ip_of(node);
        if ip.is_some_and(|ip| !self.is_permitted(ip)) {
            Err(Refusal::Restricted)
        } else if self.memory.is_banned(&node.node_id())
            || ip.is_some_and(|ip| self.memory.is_banned_ip(ip))
        {
            Err(Refusal::Banned)
        } else {
            Ok(())
        }
    }

    /// Whether a node may become a peer by a dial as things stand.
    pub(crate) fn check_peer(&self, id: &NodeId) -> Result<(), Refusal> {
        let checked = self.peers.check(id, Direction::Outbound);
        checked.map_err(|reason| match reason {
            DisconnectReason::ALREADY_CONNECTED => Refusal::AlreadyConnected,
            DisconnectReason::TOO_MANY_PEERS => Refusal::LimitReached {
                limit: self.peers.seats().all,
            },
            DisconnectReason::CONNECTED_TO_SELF => Refusal::Other("it is this node itself"),
            _ => Refusal::Other("the server stops"),
        })
    }

    /// Begins the set-up of a connection that was accepted from `ip`. Local addresses are not
    /// counted by their networks, in which everybody on this machine is.
    pub(crate) fn begin_handshake(&self, ip: IpAddr) -> Result<Handshake, Refusal> {
        let source = (!self.is_exempt(ip)).then_some(ip);
        let mut handshake = self.admission.handshake(source)?;
        // Its rate is what is asked for. How many are worked on at once is bounded by their slots.
        drop(handshake.work(Instant::now())?);
        Ok(handshake)
    }

    fn is_permitted(&self, ip: IpAddr) -> bool {
        let permitted = self.permitted.as_ref();
        permitted.is_none_or(|networks| networks.contains(ip))
    }

    fn is_exempt(&self, ip: IpAddr) -> bool {
        is_local(ip) || self.exempt.contains(ip)
    }
}

/// The [`Gate`] as the connection manager's filter.
pub(crate) struct GateFilter(pub(crate) Arc<Gate>);

impl Filter<NodeAddr> for GateFilter {
    fn accept(&self, addr: &NodeAddr) -> Result<(), Refusal> {
        let gate = &self.0;
        let NodeAddr::Inbound(addr) = addr else {
            return Ok(());
        };
        let ip = addr.ip();
        if !gate.is_permitted(ip) {
            Err(Refusal::Restricted)
        } else if gate.memory.is_banned_ip(ip) {
            Err(Refusal::Banned)
        } else {
            gate.admission.accept(ip, Instant::now())
        }
    }

    /// Bans are left to the dialer: a memory asks this under its own lock. Static nodes are too,
    /// since their requests exist whether they are wanted now or not.
    fn dial(&self, candidate: &Candidate<NodeAddr>) -> Result<(), Refusal> {
        let gate = &self.0;
        let Some(node) = node_of(candidate) else {
            return Ok(());
        };
        if ip_of(node).is_some_and(|ip| !gate.is_permitted(ip)) {
            return Err(Refusal::Restricted);
        }
        let id = node.node_id();
        if gate.peers.is_static(&id) {
            Ok(())
        } else {
            gate.check_peer(&id)
        }
    }
}

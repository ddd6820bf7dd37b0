//! The connected peers, and the limits on them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::time::timeout;

use super::NetList;
use super::eviction::{Candidate, choose};
use crate::connmgr::ReqId;
use crate::connmgr::admission::is_local;
use crate::ip::{Network, networks};
use crate::mutex::Mutex;
use crate::node::{Group, NodeId};
use crate::p2p::DisconnectReason;
use crate::peer::Peer;
use crate::setup::Direction;

/// How long a new connection waits for the end of another with the same node.
///
/// This time is less than 5 s, the handshake timeout of most remotes.
pub(crate) const ENDING: Duration = Duration::from_secs(3);

/// The inbound seats are divided by this number to limit the peers of a network.
///
/// A network is an IPv4 /24 or an IPv6 /64. Its peers may always use two seats.
const NETWORK_SHARE: usize = 8;

/// How many evicted peers may be ending at the same time.
const MOST_LEAVING: usize = 8;

/// The maximum numbers of a node's peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seats {
    /// The total.
    pub(crate) all: usize,
    /// The number of seats that inbound peers may take.
    pub(crate) inbound: usize,
}

impl Seats {
    /// Reserves one in `ratio` seats, rounded up, for dialled peers; none if `ratio` is 0.
    pub(crate) fn new(all: usize, ratio: usize) -> Self {
        let dialled = match (all, ratio) {
            (0, _) | (_, 0) => 0,
            (all, ratio) => all.div_ceil(ratio),
        };
        Self {
            all,
            inbound: all - dialled,
        }
    }

    /// How many seats are reserved for dialled peers.
    pub(crate) fn dialled(self) -> usize {
        self.all - self.inbound
    }
}

/// The connected peers of a node. Checks and changes share one lock. Clones share the set.
#[derive(Debug, Clone)]
pub(crate) struct PeerSet(Arc<Shared>);

/// Where an inbound peer comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inbound {
    pub(super) ip: Option<IpAddr>,
    /// The address that counts towards the networks' shares; `None` if the address is exempt.
    pub(super) counted: Option<IpAddr>,
}

impl Inbound {
    fn networks(self) -> impl Iterator<Item = Network> {
        self.counted.into_iter().flat_map(networks)
    }
}

#[derive(Debug)]
struct Shared {
    own: NodeId,
    /// Selects the networks that eviction protects.
    secret: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seats: Seats,
    peers: HashMap<NodeId, Member>,
    inbound: usize,
    whitelist: NetList,
    trusted: HashSet<NodeId>,
    statics: HashSet<NodeId>,
    /// Number of static nodes that are not connected; their seats are reserved.
    absent: usize,
    /// For each network, how many inbound peers count towards its share.
    networks: HashMap<Network, usize>,
    /// Evicted peers that have not yet ended.
    leaving: HashSet<NodeId>,
    closed: bool,
}

#[derive(Debug)]
struct Member {
    peer: Peer,
    /// The connection manager's request, if the manager owns the connection.
    request: Option<ReqId>,
    inbound: Option<Inbound>,
}

impl Member {
    /// Returns the remote address that the listener reported. If there is none, returns the remote
    /// address of the stream.
    fn ip(&self) -> Option<IpAddr> {
        let accepted = self.inbound.and_then(|inbound| inbound.ip);
        accepted.or_else(|| Some(self.peer.remote_addr()?.ip()))
    }
}

impl State {
    /// Returns whether an inbound connection comes from a whitelisted address.
    fn is_whitelisted(&self, inbound: Option<Inbound>) -> bool {
        let ip = inbound.and_then(|inbound| inbound.ip);
        ip.is_some_and(|ip| self.whitelist.contains(ip))
    }
}

impl PeerSet {
    pub(crate) fn new(own: NodeId, seats: Seats, whitelist: NetList, secret: u64) -> Self {
        Self(Arc::new(Shared {
            own,
            secret,
            state: Mutex::new(State {
                seats,
                peers: HashMap::new(),
                inbound: 0,
                whitelist,
                trusted: HashSet::new(),
                statics: HashSet::new(),
                absent: 0,
                networks: HashMap::new(),
                leaving: HashSet::new(),
                closed: false,
            }),
        }))
    }

    /// Checks whether a node may become a peer now. `inbound` is the origin of an inbound
    /// connection.
    pub(crate) fn check(
        &self,
        id: &NodeId,
        inbound: Option<Inbound>,
    ) -> Result<(), DisconnectReason> {
        self.check_in(&self.lock(), id, inbound).map(drop)
    }

    /// Like [`check`](Self::check), but returns the peer to evict, if any.
    ///
    /// The checks are in go-ethereum's order, so that remotes get the reasons that they expect.
    /// Trusted nodes are exempt from the limits, but from no other check.
    fn check_in(
        &self,
        state: &State,
        id: &NodeId,
        inbound: Option<Inbound>,
    ) -> Result<Option<NodeId>, DisconnectReason> {
        let seats = state.seats;
        let exempt = state.trusted.contains(id);
        let taken = state.peers.len().saturating_sub(state.leaving.len());
        let is_static = state.statics.contains(id);
        let full = if is_static {
            taken >= seats.all
        } else {
            taken.saturating_add(state.absent) >= seats.all
        };
        let inbound_full = inbound.is_some()
            && !state.is_whitelisted(inbound)
            && !is_static
            && state.inbound.saturating_sub(state.leaving.len()) >= seats.inbound;
        let crowded = !is_static && inbound.is_some_and(|inbound| self.is_crowded(state, inbound));
        let goes = if inbound.is_some() && (full || inbound_full) && !exempt && !crowded {
            self.who_goes(state)
        } else {
            None
        };
        let no_seat = (full || inbound_full) && goes.is_none() || crowded;
        if state.closed {
            Err(DisconnectReason::CLIENT_QUITTING)
        } else if no_seat && !exempt {
            Err(DisconnectReason::TOO_MANY_PEERS)
        } else if state.peers.contains_key(id) {
            Err(DisconnectReason::ALREADY_CONNECTED)
        } else if *id == self.0.own {
            Err(DisconnectReason::CONNECTED_TO_SELF)
        } else {
            Ok(goes)
        }
    }

    /// Returns whether one of the peer's networks has used up its inbound seats.
    ///
    /// An IPv4 address belongs to a /24 and a /16, whose peers may use one and two eighths of the
    /// inbound seats, respectively. For the /64, /48 and /32 of an IPv6 address, these shares are
    /// one, two and three eighths. An eighth counts as at least two seats.
    fn is_crowded(&self, state: &State, inbound: Inbound) -> bool {
        let share = (state.seats.inbound / NETWORK_SHARE).max(2);
        inbound.networks().enumerate().any(|(place, network)| {
            let peers = state.networks.get(&network).copied().unwrap_or(0);
            peers >= share.saturating_mul(place + 1)
        })
    }

    /// Returns the inbound peer to evict for a newcomer, if any.
    fn who_goes(&self, state: &State) -> Option<NodeId> {
        if state.leaving.len() >= MOST_LEAVING {
            return None;
        }
        let may_go = |member: &&Member| {
            let peer = &member.peer;
            peer.direction() == Direction::Inbound
                && !state.is_whitelisted(member.inbound)
                && !peer.is_trusted()
                && !peer.is_static()
                && !state.leaving.contains(&peer.id())
        };
        let candidate = |peer: &Peer| Candidate {
            id: peer.id(),
            network: peer
                .remote_addr()
                .map(|addr| addr.ip())
                .filter(|ip| !is_local(*ip))
                .map(Group::of_ip),
            rtt: peer.rtt(),
            lifetime: peer.lifetime(),
        };
        let candidates = state.peers.values().filter(may_go);
        let candidates = candidates.map(|member| candidate(&member.peer));
        choose(candidates.collect(), self.0.secret)
    }

    /// Checks a peer again, and gives it a seat. Another peer may be evicted to free the seat.
    pub(crate) fn insert(
        &self,
        peer: Peer,
        inbound: Option<Inbound>,
        request: Option<ReqId>,
    ) -> Result<Seat, DisconnectReason> {
        let mut state = self.lock();
        let id = peer.id();
        let goes = self.check_in(&state, &id, inbound)?;
        peer.control().set_trusted(state.trusted.contains(&id));
        peer.control().set_static(state.statics.contains(&id));
        state.inbound += usize::from(inbound.is_some());
        state.absent -= usize::from(state.statics.contains(&id));
        let networks: Vec<_> = inbound.into_iter().flat_map(Inbound::networks).collect();
        for network in &networks {
            *state.networks.entry(*network).or_default() += 1;
        }
        let member = Member {
            peer,
            request,
            inbound,
        };
        state.peers.insert(id, member);
        let goes = goes.and_then(|goes| Some(state.peers.get(&goes)?.peer.clone()));
        if let Some(goes) = &goes {
            state.leaving.insert(goes.id());
        }
        drop(state);
        if let Some(goes) = goes {
            tracing::debug!(peer = %goes.id(), "evicted in favour of a newcomer");
            goes.disconnect(DisconnectReason::TOO_MANY_PEERS);
        }
        Ok(Seat {
            peers: self.clone(),
            id,
            networks,
        })
    }

    /// Sets whether a node is exempt from the limits, and updates its peer if connected.
    pub(crate) fn set_trusted(&self, id: NodeId, trusted: bool) {
        let mut state = self.lock();
        if trusted {
            state.trusted.insert(id);
        } else {
            state.trusted.remove(&id);
        }
        if let Some(member) = state.peers.get(&id) {
            member.peer.control().set_trusted(trusted);
        }
    }

    /// Sets whether a node is static, and updates its peer if connected.
    pub(crate) fn set_static(&self, id: NodeId, wanted: bool) {
        let mut state = self.lock();
        let changed = if wanted {
            state.statics.insert(id)
        } else {
            state.statics.remove(&id)
        };
        match state.peers.get(&id) {
            Some(member) => member.peer.control().set_static(wanted),
            None if changed && wanted => state.absent += 1,
            None if changed => state.absent -= 1,
            None => {}
        }
    }

    /// If the peer with this id is ending, waits up to [`ENDING`] for its end. Cancel safe.
    ///
    /// Without this wait, a new connection would be rejected as a duplicate of a connection that is
    /// about to end.
    pub(crate) async fn let_end(&self, id: &NodeId) {
        if let Some(peer) = self.get(id).filter(Peer::is_ending) {
            // If the peer takes longer to end, the new connection counts as a duplicate.
            let _ = timeout(ENDING, peer.ended()).await;
        }
    }

    pub(crate) fn is_static(&self, id: &NodeId) -> bool {
        self.lock().statics.contains(id)
    }

    /// Returns whether a node is trusted, or connected from a whitelisted address.
    pub(crate) fn is_no_stranger(&self, id: &NodeId) -> bool {
        let state = self.lock();
        let member = state.peers.get(id);
        let from = member.and_then(|member| member.inbound);
        state.trusted.contains(id) || state.is_whitelisted(from)
    }

    /// Returns the address of an inbound peer, if the transport has addresses.
    pub(crate) fn inbound_ip(&self, id: &NodeId) -> Option<IpAddr> {
        let state = self.lock();
        let member = state.peers.get(id)?;
        member.inbound?;
        member.ip()
    }

    /// Returns the peers with an address that satisfies `there`.
    pub(crate) fn at(&self, there: impl Fn(IpAddr) -> bool) -> Vec<Peer> {
        let state = self.lock();
        let members = state.peers.values();
        let there = members.filter(|member| member.ip().is_some_and(&there));
        there.map(|member| member.peer.clone()).collect()
    }

    pub(crate) fn seats(&self) -> Seats {
        self.lock().seats
    }

    /// Changes the maximum numbers of peers, and the whitelist. Evicts no peer.
    pub(crate) fn set_limits(&self, seats: Seats, whitelist: NetList) {
        let mut state = self.lock();
        state.seats = seats;
        state.whitelist = whitelist;
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<Peer> {
        Some(self.lock().peers.get(id)?.peer.clone())
    }

    /// Returns the connection manager's request to which a peer's connection belongs.
    pub(crate) fn request(&self, id: &NodeId) -> Option<ReqId> {
        self.lock().peers.get(id)?.request
    }

    /// Returns the number of inbound peers at an address.
    pub(crate) fn inbound_at(&self, ip: IpAddr) -> usize {
        let is_there = |member: &&Member| {
            let addr = member.peer.remote_addr();
            let inbound = member.peer.direction() == Direction::Inbound;
            inbound && addr.is_some_and(|addr| addr.ip() == ip)
        };
        self.lock().peers.values().filter(is_there).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().peers.len()
    }

    /// Returns all peers, sorted by node id.
    pub(crate) fn snapshot(&self) -> Vec<Peer> {
        let state = self.lock();
        let mut peers: Vec<_> = state.peers.values().map(|it| it.peer.clone()).collect();
        drop(state);
        peers.sort_by_key(Peer::id);
        peers
    }

    /// Rejects new peers from now on, and returns the connected ones.
    pub(crate) fn close(&self) -> Vec<Peer> {
        self.lock().closed = true;
        self.snapshot()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// A peer's seat in the set. Dropping it removes the peer.
#[derive(Debug)]
pub(crate) struct Seat {
    peers: PeerSet,
    id: NodeId,
    networks: Vec<Network>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.peers.lock();
        state.leaving.remove(&self.id);
        for network in &self.networks {
            if let Some(peers) = state.networks.get_mut(network) {
                *peers -= 1;
                if *peers == 0 {
                    state.networks.remove(network);
                }
            }
        }
        if let Some(Member { peer, .. }) = state.peers.remove(&self.id) {
            state.inbound -= usize::from(peer.direction() == Direction::Inbound);
            state.absent += usize::from(state.statics.contains(&self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_shared_between_dialled_and_inbound_peers() {
        let shares = |all, ratio| {
            let seats = Seats::new(all, ratio);
            (seats.all - seats.inbound, seats.inbound)
        };
        assert_eq!(shares(50, 3), (17, 33));
        assert_eq!(shares(10, 2), (5, 5));
        assert_eq!(shares(1, 7), (1, 0));
        assert_eq!(shares(0, 3), (0, 0));
        assert_eq!(shares(8, 0), (0, 8));
    }
}

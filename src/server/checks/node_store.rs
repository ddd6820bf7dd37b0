use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::BanInfo;
use crate::guarded::caught;
use crate::node::{Enode, NodeId, NodeRecord};
use crate::peer::PeerError;
use crate::server::{DialError, DialOutcome};

/// What is remembered of nodes beyond a connection: whom to dial, who proved to be where, who is
/// banned. An address book is one; [`ServerBuilder::node_store`](crate::server::ServerBuilder::node_store) takes it.
///
/// All methods are called from the server's tasks, so they must answer at once. Those that only
/// tell do nothing by default. A method that panics has no effect; if it asks for a ban, the answer is yes.
pub trait NodeStore: fmt::Debug + Send + Sync + 'static {
    /// Up to `most` nodes to dial, the best first. The server dials the first that it wants now, and
    /// tells by [`good`](Self::good) or [`failed`](Self::failed) what came of it, unless nothing was
    /// learnt about the node.
    fn draw(&self, most: usize) -> Vec<Enode>;

    /// A node that the server shall ask whether it is still there, if there is one now: it connects
    /// to it, tells by [`good`](Self::good) or [`failed`](Self::failed) what came of it, and takes
    /// leave.
    fn probe(&self) -> Option<Enode> {
        None
    }

    /// A dial opened a connection, to whomever: this node is not offline.
    fn dial_succeeded(&self) {}

    /// A dialled node has proved by its handshake to be at this address, whether it became a peer or not:
    /// [`DialOutcome::There`].
    fn good(&self, _node: &Enode) {}

    /// A node is, or just was, connected, whoever dialled.
    fn connected(&self, _node: &NodeId) {}

    /// A dialled node was not reached, or did not prove its key: [`DialOutcome::Unreachable`].
    fn failed(&self, _node: &NodeId) {}

    /// Discovery knows this node for some minutes at least, and that it is at this address; not that it takes
    /// connections. What the store [has drawn](Self::draw) of it at the next start is where discovery begins. Told
    /// when the node is new and now and then later, at most 272 nodes in 30 s, and all of them once more at the end.
    fn discovered(&self, _node: &Enode) {}

    /// A peer ended because it broke the protocol: [`PeerError::is_misbehaviour`].
    fn misbehaved(&self, _node: &NodeId, _error: &PeerError) {}

    /// The newest record of a node that is known, for the information records of peers. Default: none.
    fn record(&self, _node: &NodeId) -> Option<NodeRecord> {
        None
    }

    /// Bans a node for some time from now on, in place of an earlier ban, and says whether the store keeps
    /// bans. Default: no, and the server keeps them in memory until it stops.
    fn ban(&self, _node: &NodeId, _time: Duration, _reason: &str) -> bool {
        false
    }

    /// Bans an IP address, or the /64 of an IPv6 address, in the same way.
    fn ban_ip(&self, _ip: IpAddr, _time: Duration, _reason: &str) -> bool {
        false
    }

    /// Lifts the ban of a node and says whether there was one.
    fn unban(&self, _node: &NodeId) -> bool {
        false
    }

    /// Lifts the ban of an IP address and says whether there was one.
    fn unban_ip(&self, _ip: IpAddr) -> bool {
        false
    }

    /// All bans that hold now, for those who look at the node. Default: none.
    fn bans(&self) -> Vec<BanInfo> {
        Vec::new()
    }

    /// How much the store keeps, for metrics: asked every few seconds. Default: nothing.
    fn sizes(&self) -> StoreSizes {
        StoreSizes::default()
    }

    /// Whether a node must neither be dialled nor become a peer.
    fn is_banned(&self, _node: &NodeId) -> bool {
        false
    }

    /// Whether no connection with an address is wanted.
    fn is_banned_ip(&self, _ip: IpAddr) -> bool {
        false
    }
}

/// How much a [`NodeStore`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSizes {
    /// Addresses to which no connection has succeeded yet.
    pub new: usize,
    /// Addresses to which one has.
    pub tried: usize,
    /// Nodes that are banned.
    pub banned_nodes: usize,
    /// IP addresses that are banned.
    pub banned_ips: usize,
}

impl dyn NodeStore {
    /// What a dial that brought no peer says about the node.
    pub(crate) fn learn(&self, node: &Enode, error: &DialError) {
        match error.outcome() {
            DialOutcome::There => self.good(&node.reached_at(error.addr())),
            DialOutcome::Unreachable => self.failed(&node.node_id()),
            DialOutcome::NotAttempted => {}
        }
    }
}

/// A user's store in the server's tasks, which it must not end.
#[derive(Debug)]
pub(crate) struct Guarded<M>(pub(crate) M);

const STORE: &str = "the store of nodes";

impl<M: NodeStore> NodeStore for Guarded<M> {
    fn draw(&self, most: usize) -> Vec<Enode> {
        caught(STORE, || self.0.draw(most)).unwrap_or_default()
    }

    fn probe(&self) -> Option<Enode> {
        caught(STORE, || self.0.probe()).flatten()
    }

    fn dial_succeeded(&self) {
        caught(STORE, || self.0.dial_succeeded());
    }

    fn good(&self, node: &Enode) {
        caught(STORE, || self.0.good(node));
    }

    fn connected(&self, node: &NodeId) {
        caught(STORE, || self.0.connected(node));
    }

    fn failed(&self, node: &NodeId) {
        caught(STORE, || self.0.failed(node));
    }

    fn discovered(&self, node: &Enode) {
        caught(STORE, || self.0.discovered(node));
    }

    fn misbehaved(&self, node: &NodeId, error: &PeerError) {
        caught(STORE, || self.0.misbehaved(node, error));
    }

    fn record(&self, node: &NodeId) -> Option<NodeRecord> {
        caught(STORE, || self.0.record(node)).flatten()
    }

    fn ban(&self, node: &NodeId, time: Duration, reason: &str) -> bool {
        caught(STORE, || self.0.ban(node, time, reason)).unwrap_or(false)
    }

    fn ban_ip(&self, ip: IpAddr, time: Duration, reason: &str) -> bool {
        caught(STORE, || self.0.ban_ip(ip, time, reason)).unwrap_or(false)
    }

    fn unban(&self, node: &NodeId) -> bool {
        caught(STORE, || self.0.unban(node)).unwrap_or(false)
    }

    fn unban_ip(&self, ip: IpAddr) -> bool {
        caught(STORE, || self.0.unban_ip(ip)).unwrap_or(false)
    }

    fn bans(&self) -> Vec<BanInfo> {
        caught(STORE, || self.0.bans()).unwrap_or_default()
    }

    fn sizes(&self) -> StoreSizes {
        caught(STORE, || self.0.sizes()).unwrap_or_default()
    }

    fn is_banned(&self, node: &NodeId) -> bool {
        caught(STORE, || self.0.is_banned(node)).unwrap_or(true)
    }

    fn is_banned_ip(&self, ip: IpAddr) -> bool {
        caught(STORE, || self.0.is_banned_ip(ip)).unwrap_or(true)
    }
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoStore;

impl NodeStore for NoStore {
    fn draw(&self, _: usize) -> Vec<Enode> {
        Vec::new()
    }
}

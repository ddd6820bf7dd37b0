use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::BanInfo;
use crate::guarded::caught;
use crate::node::{Enode, NodeId, NodeRecord};
use crate::peer::PeerError;
use crate::server::{DialError, DialOutcome};

/// Remembers nodes across connections: addresses to dial, proven addresses, and bans.
///
/// An address book is a store. Pass a store to
/// [`ServerBuilder::node_store`](crate::server::ServerBuilder::node_store).
///
/// The server's tasks call all methods, so no method may block. Methods that only notify do nothing
/// by default. A method that panics has no effect, with one exception: if a check for a ban panics,
/// the node or address counts as banned.
pub trait NodeStore: fmt::Debug + Send + Sync + 'static {
    /// Returns up to `most` nodes to dial, best first.
    ///
    /// The server dials the first node that it may dial now. The server reports the outcome by
    /// [`good`](Self::good) or [`failed`](Self::failed), unless the dial revealed nothing about the
    /// node.
    fn draw(&self, most: usize) -> Vec<Enode>;

    /// Returns a node for the server to test now, if any.
    ///
    /// The server connects to the node, reports the outcome by [`good`](Self::good) or
    /// [`failed`](Self::failed), and disconnects.
    fn probe(&self) -> Option<Enode> {
        None
    }

    /// Notifies the store that a dial opened a connection, so the server is online.
    fn dial_succeeded(&self) {}

    /// Notifies the store that a dialled node proved its key at this address.
    ///
    /// The outcome of the dial is [`DialOutcome::There`], whether or not the node became a peer.
    fn good(&self, _node: &Enode) {}

    /// Notifies the store that a connection with a node began or ended, in either direction.
    fn connected(&self, _node: &NodeId) {}

    /// Notifies the store that a dialled node was [unreachable](DialOutcome::Unreachable).
    ///
    /// The node was not reached, or did not prove its key.
    fn failed(&self, _node: &NodeId) {}

    /// Notifies the store of a node that discovery has known for at least some minutes.
    ///
    /// The node answers at this address, but is not known to accept connections. At the next start,
    /// discovery begins with nodes that the store [returns](Self::draw). The server reports each
    /// new node, and later reports it again occasionally. It reports at most 272 nodes in 30 s.
    /// When the server stops, it reports all current nodes once more.
    fn discovered(&self, _node: &Enode) {}

    /// Notifies the store that a peer was disconnected because it
    /// [misbehaved](PeerError::is_misbehaviour).
    fn misbehaved(&self, _node: &NodeId, _error: &PeerError) {}

    /// Returns the newest known record of a node, for the node's peer information. Default: none.
    fn record(&self, _node: &NodeId) -> Option<NodeRecord> {
        None
    }

    /// Bans a node for `time` from now on, and returns whether the store keeps bans.
    ///
    /// The ban replaces an earlier one. Default: `false`; the server then keeps bans in memory
    /// until it stops.
    fn ban(&self, _node: &NodeId, _time: Duration, _reason: &str) -> bool {
        false
    }

    /// Bans an IP address, or the /64 of an IPv6 address, like [`ban`](Self::ban).
    fn ban_ip(&self, _ip: IpAddr, _time: Duration, _reason: &str) -> bool {
        false
    }

    /// Lifts the ban of a node, and returns whether there was one.
    fn unban(&self, _node: &NodeId) -> bool {
        false
    }

    /// Lifts the ban of an IP address, and returns whether there was one.
    fn unban_ip(&self, _ip: IpAddr) -> bool {
        false
    }

    /// Returns all current bans, for display. Default: none.
    fn bans(&self) -> Vec<BanInfo> {
        Vec::new()
    }

    /// Returns the store's sizes; called every few seconds for metrics. Default: zeros.
    fn sizes(&self) -> StoreSizes {
        StoreSizes::default()
    }

    /// Returns whether a node must neither be dialled nor become a peer.
    fn is_banned(&self, _node: &NodeId) -> bool {
        false
    }

    /// Returns whether connections to and from an address are rejected.
    fn is_banned_ip(&self, _ip: IpAddr) -> bool {
        false
    }
}

/// The number of entries in a [`NodeStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSizes {
    /// Addresses to which no connection has yet succeeded.
    pub new: usize,
    /// Addresses to which a connection has succeeded.
    pub tried: usize,
    /// Banned nodes.
    pub banned_nodes: usize,
    /// Banned IP addresses.
    pub banned_ips: usize,
}

impl dyn NodeStore {
    /// Records the outcome of a dial that produced no peer.
    pub(crate) fn learn(&self, node: &Enode, error: &DialError) {
        match error.outcome() {
            DialOutcome::There => self.good(&node.reached_at(error.addr())),
            DialOutcome::Unreachable => self.failed(&node.node_id()),
            DialOutcome::NotAttempted => {}
        }
    }
}

/// A user's store whose panics do not end the server's tasks.
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

/// A store that remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoStore;

impl NodeStore for NoStore {
    fn draw(&self, _: usize) -> Vec<Enode> {
        Vec::new()
    }
}

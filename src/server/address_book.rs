use std::net::IpAddr;

use tracing::debug;

use super::NodeMemory;
use crate::addrbook::AddressBook;
use crate::node::{Enode, NodeId};

/// What a server remembers of nodes, in its book and node database.
impl NodeMemory for AddressBook {
    fn draw(&self, allowed: &mut dyn FnMut(&Enode) -> bool) -> Option<Enode> {
        Self::draw(self, |entry| allowed(entry.enode()))
    }

    fn attempt(&self, node: &NodeId) {
        Self::attempt(self, node);
    }

    fn dial_succeeded(&self) {
        Self::dial_succeeded(self);
    }

    fn good(&self, node: &Enode) {
        if let Err(error) = Self::good(self, node) {
            // A static node may be where nobody else should look for it.
            debug!(id = %node.node_id(), %error, "not taken into the address book");
        }
    }

    fn connected(&self, node: &NodeId) {
        Self::connected(self, node);
    }

    fn failed(&self, node: &NodeId) {
        Self::failed(self, node);
    }

    fn is_banned(&self, node: &NodeId) -> bool {
        self.banned(node).is_some()
    }

    fn is_banned_ip(&self, ip: IpAddr) -> bool {
        self.banned_ip(ip).is_some()
    }
}

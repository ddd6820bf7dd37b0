//! Nodes that packets can be sent to.

use std::net::{IpAddr, SocketAddr};

use super::packet::{Neighbor, WireEndpoint};
use crate::ip::canonical;
use crate::node::{Endpoint, Enode, Host, NodeId, PublicKey, Reach};

/// A node's key and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    key: PublicKey,
    id: NodeId,
    addr: SocketAddr,
    tcp: u16,
}

impl Contact {
    /// Creates a contact from a key, the address for discovery and the TCP port.
    ///
    /// A TCP port of 0 means that the node accepts no connections.
    #[must_use]
    pub fn new(key: PublicKey, addr: SocketAddr, tcp: u16) -> Self {
        Self {
            id: key.node_id(),
            key,
            addr: canonical(addr),
            tcp,
        }
    }

    /// Returns the node of an enode URL.
    ///
    /// `None` if the URL has no IP address or no port for discovery.
    #[must_use]
    pub fn of_enode(enode: &Enode) -> Option<Self> {
        let endpoint = enode.endpoint()?;
        match endpoint.host {
            Host::Ip(ip) if endpoint.udp != 0 => Some(Self::new(
                *enode.public_key(),
                SocketAddr::new(ip, endpoint.udp),
                endpoint.tcp,
            )),
            _ => None,
        }
    }

    /// Returns the node's static key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the node's id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.id
    }

    /// Returns the node's address for discovery.
    #[must_use]
    pub fn udp_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the node's address and both ports.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: Host::Ip(self.addr.ip()),
            tcp: self.tcp,
            udp: self.addr.port(),
        }
    }

    /// Returns the node as an enode URL.
    #[must_use]
    pub fn to_enode(&self) -> Enode {
        Enode::with_endpoint(self.key, self.endpoint())
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.addr.ip()
    }

    pub(super) fn tcp(&self) -> u16 {
        self.tcp
    }

    /// Returns the node that `by` named, if that node may be contacted.
    pub(super) fn of_neighbor(neighbor: &Neighbor, by: IpAddr) -> Option<Self> {
        /// Lower ports belong to services such as DNS, which no node may make us contact.
        const LEAST_PORT: u16 = 1025;
        let addr = neighbor.endpoint.socket_addr()?;
        if addr.port() < LEAST_PORT || !may_tell(by, addr.ip()) {
            return None;
        }
        let key = PublicKey::from_bytes(&neighbor.key).ok()?;
        Some(Self::new(key, addr, neighbor.endpoint.tcp))
    }

    pub(super) fn to_neighbor(self) -> Neighbor {
        Neighbor {
            endpoint: WireEndpoint::new(self.addr, self.tcp),
            key: self.key.to_bytes(),
        }
    }
}

/// Returns whether a node at `at` may send or be sent the address `of`.
///
/// An address that has a meaning only in its own network is neither sent to nodes outside of that
/// network nor accepted from them.
pub(super) fn may_tell(at: IpAddr, of: IpAddr) -> bool {
    match Reach::of(of) {
        Reach::Public => true,
        Reach::Private => matches!(Reach::of(at), Reach::Private | Reach::Local),
        Reach::Local => Reach::of(at) == Reach::Local,
        Reach::Unroutable => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::SecretKey;

    #[test]
    fn no_address_leaves_its_network() {
        let tells = |at: &str, of: &str| may_tell(at.parse().unwrap(), of.parse().unwrap());
        for at in ["127.0.0.1", "10.0.0.1", "1.2.3.4"] {
            assert!(tells(at, "5.6.7.8") && !tells(at, "224.0.0.1") && !tells(at, "0.0.0.0"));
        }
        assert!(tells("127.0.0.1", "127.0.0.2") && tells("127.0.0.1", "10.0.0.1"));
        assert!(!tells("10.0.0.1", "127.0.0.1") && tells("10.0.0.1", "192.168.0.1"));
        assert!(!tells("1.2.3.4", "127.0.0.1") && !tells("1.2.3.4", "10.0.0.1"));
    }

    #[test]
    fn addresses_from_other_nodes_are_checked() {
        let key = SecretKey::from_bytes(&[1; 32]).unwrap().public_key();
        let told = |addr: &str, key| {
            let endpoint = WireEndpoint::new(addr.parse().unwrap(), 30303);
            Contact::of_neighbor(&Neighbor { endpoint, key }, [1, 2, 3, 4].into())
        };
        let contact = told("5.6.7.8:30303", key.to_bytes()).unwrap();
        assert_eq!(contact.node_id(), key.node_id());
        assert_eq!(Contact::of_enode(&contact.to_enode()), Some(contact));
        assert_eq!(told("5.6.7.8:53", key.to_bytes()), None);
        assert_eq!(told("127.0.0.1:30303", key.to_bytes()), None);
        assert_eq!(told("5.6.7.8:30303", [1; 64]), None);
    }
}

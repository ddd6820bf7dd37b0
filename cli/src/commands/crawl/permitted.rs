//! Decides which addresses may be contacted.

use std::net::IpAddr;

use peermux::node::Reach;
use peermux::{Endpoint, Enode, Host, Node};

/// Permits public addresses, and perhaps those of private networks and of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permitted {
    private_networks: bool,
}

impl Permitted {
    /// Permits private networks if the user asks for them, or names a bootnode on one.
    pub(super) fn new(asked: bool, bootnodes: &[Node]) -> Self {
        let mut ips = bootnodes.iter().filter_map(|node| match node.endpoint() {
            Some(endpoint) => match endpoint.host {
                Host::Ip(ip) => Some(ip),
                Host::Dns(_) => None,
            },
            None => None,
        });
        let named = |ip| matches!(Reach::of(ip), Reach::Private | Reach::Local);
        Self {
            private_networks: asked || ips.any(named),
        }
    }

    pub(super) fn private_networks(self) -> bool {
        self.private_networks
    }

    pub(super) fn ip(self, ip: IpAddr) -> bool {
        match Reach::of(ip) {
            Reach::Public => true,
            Reach::Private | Reach::Local => self.private_networks,
            Reach::Unroutable => false,
        }
    }

    /// Returns the endpoints of a node that may be dialled. A host name is checked later, when it is
    /// resolved.
    pub(super) fn endpoints(self, enode: &Enode) -> Vec<Endpoint> {
        let permitted = |endpoint: &&Endpoint| match endpoint.host {
            Host::Ip(ip) => self.ip(ip),
            Host::Dns(_) => true,
        };
        enode.tcp_endpoints().filter(permitted).cloned().collect()
    }

    /// Returns whether requests over UDP may be sent to a node.
    pub(super) fn asks(self, enode: &Enode) -> bool {
        enode
            .endpoint()
            .is_some_and(|endpoint| match endpoint.host {
                Host::Ip(ip) => endpoint.udp != 0 && self.ip(ip),
                Host::Dns(_) => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use peermux::SecretKey;

    use super::*;

    fn node(addr: &str) -> Enode {
        Enode::new(
            SecretKey::generate().public_key(),
            addr.parse().expect("an address"),
        )
    }

    #[test]
    fn private_networks_take_part_if_the_user_named_one() {
        for (bootnode, asked, private) in [
            ("1.2.3.4:1", false, false),
            ("1.2.3.4:1", true, true),
            ("127.0.0.1:1", false, true),
            ("192.168.1.1:1", false, true),
            ("[fd00::1]:1", false, true),
            ("169.254.0.1:1", false, false),
        ] {
            let permitted = Permitted::new(asked, &[node(bootnode).into()]);
            assert_eq!(permitted.private_networks(), private, "{bootnode}");
            let found = |addr| permitted.endpoints(&node(addr)).len();
            assert_eq!(found("10.0.0.1:30303"), usize::from(private));
            assert_eq!(found("8.8.8.8:30303"), 1);
            assert_eq!(found("224.0.0.1:30303"), 0);
            assert_eq!(found("8.8.8.8:0"), 0);
        }
    }
}

//! The addresses at which a node's record says that it can be reached.

use std::fmt;
use std::net::IpAddr;

use peermux::{Host, NodeRecord};
use serde::{Deserialize, Serialize};

/// An address in a record, with its ports. A port is 0 if the node does not use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Advertised {
    ip: IpAddr,
    tcp: u16,
    udp: u16,
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, tcp, udp } = self;
        write!(f, "ip {ip}, tcp {tcp}, udp {udp}")
    }
}

/// Returns the addresses in a record, at most one of each family.
pub(crate) fn of(record: &NodeRecord) -> Vec<Advertised> {
    let enode = record.to_enode();
    let endpoints = enode
        .tcp_endpoints()
        .filter_map(|endpoint| match endpoint.host {
            Host::Ip(ip) => Some(Advertised {
                ip,
                tcp: endpoint.tcp,
                udp: endpoint.udp,
            }),
            Host::Dns(_) => None,
        });
    endpoints.collect()
}

/// Describes the addresses in a record to people.
pub(crate) fn text(all: &[Advertised]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    if all.is_empty() {
        "no address".to_owned()
    } else {
        all.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use peermux::SecretKey;

    use super::*;

    #[test]
    fn an_address_of_each_family_is_named() {
        let key = SecretKey::generate();
        let none = NodeRecord::builder(1).sign(&key).expect("a record");
        assert_eq!(text(&of(&none)), "no address");
        let both = none.update().expect("a number is left");
        let both = both
            .ip("203.0.113.7".parse().expect("an address"))
            .ip("2001:4860::7".parse().expect("an address"))
            .tcp(30303)
            .udp(30304)
            .tcp6(30305);
        let both = both.sign(&key).expect("a record");
        assert_eq!(
            text(&of(&both)),
            "ip 203.0.113.7, tcp 30303, udp 30304; ip 2001:4860::7, tcp 30305, udp 30304"
        );
    }
}

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A list of networks, such as `10.0.0.0/8, 2001:db8::/32`; a bare address is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetList(Vec<IpNet>);

/// The error for a text that is not a list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network such as 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetListError(String);

impl NetList {
    /// Returns whether an address is in one of the networks.
    ///
    /// An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Appends the networks of another list.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self
    }

    /// Returns whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for NetList {
    type Err = NetListError;

    fn from_str(text: &str) -> Result<Self, NetListError> {
        let parts = text.split(',').map(str::trim);
        let networks = parts.filter(|part| !part.is_empty()).map(network);
        networks.collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<IpNet, NetListError> {
    let network = text.parse::<IpNet>();
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    let network = network.or_else(|_| alone());
    network.map_err(|_| NetListError(text.chars().take(50).collect()))
}

impl fmt::Display for NetList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for network in &self.0 {
            write!(f, "{before}{network}")?;
            before = ",";
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
crate::serde_text::serde_as_text!(NetList);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_both_families() {
        let list: NetList = "127.0.2.0/24, 2001:db8::/32,10.1.1.1".parse().unwrap();
        assert_eq!(list.to_string(), "127.0.2.0/24,2001:db8::/32,10.1.1.1/32");
        let inside = |ip: &str| list.contains(ip.parse().unwrap());
        assert!(inside("127.0.2.7") && inside("2001:db8:1::1") && inside("10.1.1.1"));
        assert!(inside("::ffff:127.0.2.7"));
        assert!(!inside("127.0.3.1") && !inside("2001:db9::1") && !inside("10.1.1.2"));
    }

    #[test]
    fn two_lists_become_one() {
        let list = |text: &str| text.parse::<NetList>().unwrap();
        let both = list("10.0.0.0/8").with(&list("fd00::/8"));
        assert_eq!(both, list("10.0.0.0/8,fd00::/8"));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for bad in ["10.0.0.0/33", "10.0.0.0/8,x", "::/129"] {
            let error = bad.parse::<NetList>().unwrap_err().to_string();
            assert!(error.contains("is not a network"), "{error}");
        }
        assert!("".parse::<NetList>().unwrap().is_empty());
    }
}

//! Makes a node behind a router reachable.
//!
//! Either the router maps a port to the node, or the user specifies the external address.

#[cfg(feature = "nat")]
mod any;
mod error;
mod gateway;
#[cfg(feature = "nat")]
mod local;
#[cfg(feature = "nat")]
mod pmp;
mod port;
#[cfg(feature = "nat")]
mod upnp;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

pub use error::GatewayError;
pub use gateway::Gateway;
pub use port::{PortMapping, PortProtocol, PortRequest};

pub(super) use gateway::DynGateway;

/// How a node behind a router becomes reachable, in the syntax of go-ethereum's `--nat`.
///
/// Variants that ask a router need the feature `nat`. To use your own [`Gateway`] instead, call
/// [`ServerBuilder::gateway`](super::ServerBuilder::gateway).
///
/// ```
/// use peermux::server::{Nat, NatError};
///
/// let nat: Nat = "extip:192.0.2.7".parse()?;
/// assert_eq!(nat, Nat::ExtIp([192, 0, 2, 7].into()));
/// assert_eq!("none".parse(), Ok(Nat::None));
/// # Ok::<(), NatError>(())
/// ```
#[doc(alias("UPnP", "port mapping"))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nat {
    /// Asks no router.
    #[default]
    None,
    /// Others reach the node at this address, with the listening port.
    ExtIp(IpAddr),
    /// UPnP, and PCP or NAT-PMP at the same time.
    ///
    /// The server uses the protocol that answers first.
    Any,
    /// UPnP: the server searches the local network for an Internet Gateway Device.
    Upnp,
    /// PCP (RFC 6887), else NAT-PMP (RFC 6886).
    ///
    /// The server asks the router at this address, else the default router.
    Pmp(Option<Ipv4Addr>),
}

/// Why a text is not a valid [`Nat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NatError {
    /// The text does not begin with a known word.
    #[error("{got:?} is not one of any, none, upnp, pmp, pmp:IP, extip:IP")]
    Unknown {
        /// The text.
        got: String,
    },
    /// The text after the word is not a usable address. After `pmp` it must be IPv4.
    #[error("{got:?} in {word}:{got} is not a usable address")]
    Address {
        /// The word.
        word: &'static str,
        /// The text after the word.
        got: String,
    },
}

/// Why a server cannot ask a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("asking a router for a port ({nat}) needs the feature `nat`, which is not built in")]
#[non_exhaustive]
pub struct NatNotBuilt {
    /// The setting that needs a router.
    pub nat: Nat,
}

/// The gateway, if a router is asked.
pub(super) type Asked = Option<Box<dyn DynGateway>>;

impl Nat {
    /// Returns the address that the user specified.
    pub(super) fn external_ip(self) -> Option<IpAddr> {
        match self {
            Self::ExtIp(ip) => Some(ip),
            _ => None,
        }
    }

    #[cfg(feature = "nat")]
    pub(super) fn gateway(self) -> Result<Asked, NatNotBuilt> {
        Ok(match self {
            Self::None | Self::ExtIp(_) => None,
            Self::Any => Some(Box::new(any::Any::default())),
            Self::Upnp => Some(Box::new(upnp::Upnp::default())),
            Self::Pmp(router) => Some(Box::new(pmp::Pmp::new(router))),
        })
    }

    #[cfg(not(feature = "nat"))]
    pub(super) fn gateway(self) -> Result<Asked, NatNotBuilt> {
        match self {
            Self::None | Self::ExtIp(_) => Ok(None),
            nat => Err(NatNotBuilt { nat }),
        }
    }
}

impl FromStr for Nat {
    type Err = NatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, got) = match text.split_once(':') {
            Some((word, got)) => (word, Some(got)),
            None => (text, None),
        };
        let wrong = |word, got: &str| NatError::Address {
            word,
            got: got.to_owned(),
        };
        match (word, got) {
            ("none", None) => Ok(Self::None),
            ("any", None) => Ok(Self::Any),
            ("upnp", None) => Ok(Self::Upnp),
            ("pmp", None) => Ok(Self::Pmp(None)),
            ("pmp", Some(got)) => {
                let ip = got.parse::<Ipv4Addr>().ok();
                let ip = ip.filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
                ip.map(|ip| Self::Pmp(Some(ip)))
                    .ok_or_else(|| wrong("pmp", got))
            }
            ("extip", Some(got)) => {
                let ip = got.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
                let ip = ip.filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
                ip.map(Self::ExtIp).ok_or_else(|| wrong("extip", got))
            }
            _ => Err(NatError::Unknown {
                got: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::ExtIp(ip) => write!(f, "extip:{ip}"),
            Self::Any => f.write_str("any"),
            Self::Upnp => f.write_str("upnp"),
            Self::Pmp(None) => f.write_str("pmp"),
            Self::Pmp(Some(ip)) => write!(f, "pmp:{ip}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_match_go_ethereum() {
        for text in [
            "none",
            "any",
            "upnp",
            "pmp",
            "pmp:192.168.0.1",
            "extip:77.12.33.4",
            "extip:2001:db8::1",
        ] {
            let nat: Nat = text.parse().unwrap();
            assert_eq!(nat.to_string(), text);
        }
        assert_eq!(Nat::default(), Nat::None);
    }

    #[test]
    fn other_words_and_addresses_are_refused() {
        for text in ["", "stun", "extip", "ANY", "any:", "upnp:1.2.3.4", "none:"] {
            let got = text.to_owned();
            assert_eq!(text.parse::<Nat>(), Err(NatError::Unknown { got }));
        }
        for (word, got) in [
            ("extip", ""),
            ("extip", "0.0.0.0"),
            ("extip", "example.org"),
            ("extip", "::"),
            ("pmp", "::1"),
            ("pmp", "0.0.0.0"),
            ("pmp", "224.0.0.1"),
        ] {
            let error = format!("{word}:{got}").parse::<Nat>();
            let got = got.to_owned();
            assert_eq!(error, Err(NatError::Address { word, got }));
        }
    }
}

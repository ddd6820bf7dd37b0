//! The address that a node advertises to others.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::node::{Endpoint, EndpointError, Host};

/// An address at which others dial the node, written `HOST[:PORT]`.
///
/// Nodes behind a router or in a container need such an address. The default port is the listening
/// port.
///
/// ```
/// use peermux::server::Advertised;
///
/// let with_port: Advertised = "node.example.org:30303".parse()?;
/// let without: Advertised = "[2001:db8::1]".parse()?;
/// assert_eq!(without.to_string(), "[2001:db8::1]");
/// assert!("0.0.0.0".parse::<Advertised>().is_err());
/// # Ok::<(), peermux::server::AdvertisedError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    host: Host,
    port: Option<u16>,
}

/// Why a text is not a dialable address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertisedError {
    /// The host or port is invalid.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The host is an unspecified address, such as 0.0.0.0.
    #[error("{ip} means all addresses and cannot be dialled")]
    Unspecified {
        /// The address.
        ip: IpAddr,
    },
    /// The port is 0.
    #[error("port 0 cannot be dialled")]
    PortZero,
}

impl Advertised {
    /// Returns the IP address or name.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port, or `None` for the listening port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the endpoint to dial, if a port is known.
    pub(super) fn endpoint(&self, listens_on: Option<u16>) -> Option<Endpoint> {
        Some(Endpoint {
            host: self.host.clone(),
            tcp: self.port.or(listens_on)?,
            udp: 0,
        })
    }
}

impl FromStr for Advertised {
    type Err = AdvertisedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let advertised = match text.parse::<IpAddr>() {
            Ok(ip) => Self {
                host: Host::Ip(ip.to_canonical()),
                port: None,
            },
            Err(_) => match text.rsplit_once(':') {
                Some((_, port)) if !port.contains(']') => {
                    let Endpoint { host, tcp, .. } = text.parse()?;
                    Self {
                        host,
                        port: Some(tcp),
                    }
                }
                _ => Self {
                    host: text.parse()?,
                    port: None,
                },
            },
        };
        match advertised {
            Self {
                host: Host::Ip(ip), ..
            } if ip.is_unspecified() => Err(AdvertisedError::Unspecified { ip }),
            Self { port: Some(0), .. } => Err(AdvertisedError::PortZero),
            advertised => Ok(advertised),
        }
    }
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(feature = "serde")]
crate::serde_text::serde_as_text!(Advertised);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_address_is_a_dialable_host_with_or_without_a_port() {
        let forms = [
            "192.0.2.1",
            "192.0.2.1:30303",
            "[2001:db8::1]",
            "[2001:db8::1]:1",
            "a.b",
            "a.b:1",
        ];
        for text in forms {
            let advertised: Advertised = text.parse().unwrap();
            assert_eq!(advertised.to_string(), text);
        }
        let bare: Advertised = "2001:db8::1".parse().unwrap();
        assert_eq!(bare.to_string(), "[2001:db8::1]");
        for text in [
            "",
            ":30303",
            "0.0.0.0",
            "[::]:30303",
            "a.b:0",
            "a.b:x",
            "a b",
            "::1:",
        ] {
            assert!(text.parse::<Advertised>().is_err(), "{text}");
        }
    }
}

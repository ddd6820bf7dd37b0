//! Endpoints of nodes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::excerpt::excerpt;

/// The longest DNS name, in characters, without the trailing dot.
const MAX_NAME: usize = 253;

/// The longest part of a DNS name between two dots, in characters.
const MAX_LABEL: usize = 63;

/// An IP address or a DNS name; an IPv6 address is written in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, resolved when the node is dialled.
    Dns(String),
}

/// A node's host and ports, written `host:tcp`, or `host:tcp?discport=udp` if the ports differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address or name.
    pub host: Host,
    /// The port for connections; 0 if the node accepts none.
    pub tcp: u16,
    /// The port for discovery; 0 if the node does not take part in it.
    pub udp: u16,
}

impl Endpoint {
    /// The address to connect to, or `None` if the name must be resolved first.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Ip(ip) => Some(SocketAddr::new(ip, self.tcp)),
            Host::Dns(_) => None,
        }
    }
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The host is not an IPv4 address, a bracketed IPv6 address or a DNS name.
    #[error("host {host:?} is not an IPv4 address, an IPv6 address in brackets or a DNS name")]
    Host {
        /// The host, empty if it is missing.
        host: String,
    },
    /// There is no port after the host.
    #[error("no port follows {host:?}")]
    PortMissing {
        /// The text found instead of host and port.
        host: String,
    },
    /// The port is not a number from 0 to 65535.
    #[error("port {port:?} is not a number from 0 to 65535")]
    Port {
        /// The port.
        port: String,
    },
    /// The discovery port is not a number from 0 to 65535.
    #[error("discport {discport:?} is not a number from 0 to 65535")]
    Discport {
        /// The value of `discport`.
        discport: String,
    },
    /// The query names more than one discovery port.
    #[error("query {query:?} gives discport more than once")]
    Query {
        /// Everything after the question mark.
        query: String,
    },
}

/// Uses the same port for connections and discovery.
impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Host::Ip(address.ip().to_canonical()),
            tcp: address.port(),
            udp: address.port(),
        }
    }
}

/// Converts an IPv4 address inside an IPv6 address to IPv4. Ignores unknown keys in the query. An
/// absent or empty `discport` means the TCP port.
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (authority, query) = text.split_once('?').unwrap_or((text, ""));
        // A colon inside the brackets belongs to an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => {
                return Err(EndpointError::PortMissing {
                    host: excerpt(authority),
                });
            }
        };
        let host = host.parse()?;
        let tcp = parse_port(port).ok_or_else(|| EndpointError::Port {
            port: excerpt(port),
        })?;
        let udp = match discport(query)? {
            "" => tcp,
            discport => parse_port(discport).ok_or_else(|| EndpointError::Discport {
                discport: excerpt(discport),
            })?,
        };
        Ok(Self { host, tcp, udp })
    }
}

impl FromStr for Host {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let brackets = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Some(Ok(ip)) = brackets.map(str::parse::<Ipv6Addr>) {
            return Ok(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        if is_dns_name(text) {
            return Ok(Self::Dns(text.to_owned()));
        }
        Err(EndpointError::Host {
            host: excerpt(text),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Dns(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.tcp)?;
        if self.udp != self.tcp {
            write!(f, "?discport={}", self.udp)?;
        }
        Ok(())
    }
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` alone would accept a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The value of `discport`, empty if there is none.
fn discport(query: &str) -> Result<&str, EndpointError> {
    let mut values = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("discport="));
    match (values.next(), values.next()) {
        (value, None) => Ok(value.unwrap_or_default()),
        (_, Some(_)) => Err(EndpointError::Query {
            query: excerpt(query),
        }),
    }
}

/// Whether a resolver can look up this name, with or without a trailing dot. A name whose last part
/// is a number is rejected, because it is probably a mistyped IPv4 address.
fn is_dns_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= MAX_NAME
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        text.parse()
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        for (text, host) in [
            ("127.0.0.1", Host::Ip(Ipv4Addr::LOCALHOST.into())),
            ("[::1]", Host::Ip(Ipv6Addr::LOCALHOST.into())),
            ("[::ffff:127.0.0.1]", Host::Ip(Ipv4Addr::LOCALHOST.into())),
            ("valid.", Host::Dns("valid.".into())),
            ("Node-1.example.org", Host::Dns("Node-1.example.org".into())),
            ("1e100.net", Host::Dns("1e100.net".into())),
        ] {
            assert_eq!(text.parse(), Ok(host), "{text}");
        }
        let long_label = "a".repeat(64);
        let long_name = ["a"; 128].join(".");
        for text in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "münchen.de",
            "::1",
            "[::1",
            "[127.0.0.1]",
            "[fe80::1%eth0]",
            "256.1.1.1",
            "1.2.3",
            "010.0.0.1",
            &long_label,
            &long_name,
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_the_invalid_part() {
        let host = |host: &str| EndpointError::Host { host: host.into() };
        let port = |port: &str| EndpointError::Port { port: port.into() };
        let missing = |host: &str| EndpointError::PortMissing { host: host.into() };
        let discport = |discport: &str| EndpointError::Discport {
            discport: discport.into(),
        };
        for (text, error) in [
            (":3", host("")),
            ("1.2.3.999:3", host("1.2.3.999")),
            ("2001:db8::1:3", host("2001:db8::1")),
            ("1.2.3.4", missing("1.2.3.4")),
            ("[::1]", missing("[::1]")),
            ("", missing("")),
            ("1.2.3.4:", port("")),
            ("1.2.3.4:+3", port("+3")),
            ("1.2.3.4:65536", port("65536")),
            ("1.2.3.4:3/", port("3/")),
            ("1.2.3.4:3?discport=x", discport("x")),
            ("1.2.3.4:3?discport=-1", discport("-1")),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(
            parse("a:3?discport=4&discport=5"),
            Err(EndpointError::Query {
                query: "discport=4&discport=5".into()
            })
        );
    }

    #[test]
    fn a_long_piece_is_cut_in_the_error() {
        let error = parse(&format!("a:{}", "ß".repeat(5000))).unwrap_err();
        assert!(error.to_string().len() < 256);
    }
}

//! The DNS servers for lists of nodes.

use std::net::{IpAddr, SocketAddr};

use peermux::dns::DnsResolver;

use crate::failure::Failure;

/// The port of DNS servers.
const PORT: u16 = 53;

/// Parses the address of a server, with a port or without.
pub(crate) fn server(text: &str) -> Result<SocketAddr, String> {
    let ip = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    ip.or_else(|_| text.parse())
        .map_err(|_| "not an IP address, with a port or without".to_owned())
}

/// Returns a resolver over these servers, or over those of the system by default.
pub(crate) fn resolver(servers: &[SocketAddr]) -> Result<DnsResolver, Failure> {
    if servers.is_empty() {
        system()
    } else {
        DnsResolver::servers(servers).map_err(Failure::because)
    }
}

#[cfg(any(unix, windows))]
fn system() -> Result<DnsResolver, Failure> {
    DnsResolver::system()
        .map_err(|error| Failure::because(format!("the system's DNS servers: {error}")))
}

#[cfg(not(any(unix, windows)))]
fn system() -> Result<DnsResolver, Failure> {
    Err(Failure::Usage(
        "--dns-server is needed: the system does not tell the address of its own server".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_port_or_the_usual_one() {
        for (text, address) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            assert_eq!(server(text), Ok(address.parse().expect("an address")));
        }
        for wrong in ["", "dns.example.org", "192.0.2.53:", "192.0.2.53:65536"] {
            assert!(server(wrong).is_err(), "{wrong}");
        }
    }
}

//! Finds out to which families of addresses this machine has a route.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::time::Instant;

use crate::ip::Scope;
use crate::mutex::Mutex;

/// How long an answer of the system is reused.
const FRESH: Duration = Duration::from_secs(10);

/// Caches for each family of public addresses whether the system has a route.
#[derive(Debug)]
pub(super) struct Routes {
    ask: fn(SocketAddr) -> bool,
    known: Mutex<[Option<(bool, Instant)>; 2]>,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            ask: has_route,
            known: Mutex::default(),
        }
    }
}

impl Routes {
    /// Returns whether there may be a route to an address. For local addresses nothing is cached,
    /// since they have their own routes.
    pub(super) fn may_reach(&self, addr: SocketAddr) -> bool {
        if Scope::of(addr.ip()) != Scope::Global {
            return (self.ask)(addr);
        }
        let now = Instant::now();
        let mut known = self.known.lock();
        let [v4, v6] = &mut *known;
        let family = if addr.is_ipv4() { v4 } else { v6 };
        match *family {
            Some((answer, at)) if now.saturating_duration_since(at) < FRESH => answer,
            _ => {
                let answer = (self.ask)(addr);
                *family = Some((answer, now));
                answer
            }
        }
    }
}

/// Asks the system for a route, by connecting a datagram socket, which sends nothing.
///
/// Any error other than a missing route counts as a route.
fn has_route(addr: SocketAddr) -> bool {
    let own: IpAddr = match addr {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let connected = UdpSocket::bind((own, 0)).and_then(|socket| socket.connect(addr));
    connected.err().is_none_or(|error| {
        !matches!(
            error.kind(),
            ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrNotAvailable
                | ErrorKind::Unsupported
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_family_without_a_route_is_checked_again() {
        let routes = Routes {
            ask: |addr| addr.is_ipv4(),
            known: Mutex::default(),
        };
        let (v4, v6) = (addr("20.1.1.1:1"), addr("[2600::1]:1"));
        assert!(routes.may_reach(v4) && !routes.may_reach(v6));
        let routes = Routes {
            ask: |_| true,
            ..routes
        };
        tokio::time::advance(FRESH / 2).await;
        assert!(!routes.may_reach(v6), "not yet");
        tokio::time::advance(FRESH).await;
        assert!(routes.may_reach(v6));
    }

    #[test]
    fn this_machine_reaches_itself() {
        assert!(has_route(addr("127.0.0.1:1")));
    }
}

//! Binds the UDP sockets of commands that use discovery.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::refused::Refused;

/// The protocols that need a socket.
pub(crate) const V4: &str = "Discovery v4";
#[cfg(feature = "discv5")]
pub(crate) const V5: &str = "Discovery v5";

/// The reason why there is no socket.
#[derive(Debug)]
pub(crate) struct NotBound {
    /// The protocol that needs the socket.
    who: &'static str,
    addr: SocketAddr,
    source: io::Error,
}

impl fmt::Display for NotBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, addr, source } = self;
        let attempt = match addr.port() {
            0 => Refused::FreePort,
            _ => Refused::Listen,
        };
        let why = attempt.text(source);
        write!(f, "{who} cannot {attempt} UDP {addr}: {why}")
    }
}

impl std::error::Error for NotBound {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Binds a non-blocking socket. At port 0 the system chooses a free port.
pub(crate) fn bind(who: &'static str, addr: SocketAddr) -> Result<UdpSocket, NotBound> {
    let bound = UdpSocket::bind(addr).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    bound.map_err(|source| NotBound { who, addr, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_listen_where_is_named() {
        let taken = bind(V4, ([127, 0, 0, 1], 0).into()).expect("a free port");
        let addr = taken.local_addr().expect("bound");
        let error = bind("a test", addr).expect_err("it is taken");
        let text = error.to_string();
        let attempt = format!("a test cannot listen on UDP {addr}: ");
        assert!(text.starts_with(&attempt), "{text}");
        let advice = "; stop the program that listens there, or choose another port";
        assert!(text.ends_with(advice), "{text}");
        // Without a port, none is free.
        let error = NotBound {
            who: V4,
            addr: ([0, 0, 0, 0], 0).into(),
            source: io::ErrorKind::AddrInUse.into(),
        };
        let text = error.to_string();
        let attempt = "Discovery v4 cannot listen on UDP 0.0.0.0:0: ";
        assert!(text.starts_with(attempt), "{text}");
        let advice = "; no port is free, stop a program that uses many";
        assert!(text.ends_with(advice), "{text}");
    }
}

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::PortProtocol;

/// Why a router maps no port.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// No router was found.
    #[error("no router found by {by}: {source}")]
    NotFound {
        /// How it was looked for: UPnP, or PCP and NAT-PMP.
        by: &'static str,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What answered is outside of the local network, so that it is not this node's router.
    #[error("{router} answers by {by} and is not in the local network")]
    Stranger {
        /// How it was found.
        by: &'static str,
        /// Its address.
        router: IpAddr,
    },
    /// The router did not map a port, or not end a mapping.
    #[error("router {router}, by {by}: {protocol} port {port}: {source}")]
    Port {
        /// How the router was asked.
        by: &'static str,
        /// Its address.
        router: IpAddr,
        /// The protocol of the port.
        protocol: PortProtocol,
        /// The port that the node listens on.
        port: u16,
        /// What the router said, or what went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The router did not say its own address.
    #[error("router {router}, by {by}: its own address: {source}")]
    ExternalIp {
        /// How the router was asked.
        by: &'static str,
        /// Its address.
        router: IpAddr,
        /// What the router said, or what went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The router maps port 0, which cannot be dialled.
    #[error("the router maps {external}, which cannot be dialled")]
    PortZero {
        /// What it maps.
        external: SocketAddr,
    },
    /// The node listens where no router sends anything to: on this machine alone, or on IPv6 alone.
    #[error("no router maps a port to {local}, which the node listens on")]
    Local {
        /// The address.
        local: SocketAddr,
    },
    /// Neither way led to a mapping.
    #[error("{upnp}; {pmp}")]
    Neither {
        /// What UPnP came to.
        upnp: Box<GatewayError>,
        /// What PCP and NAT-PMP came to.
        pmp: Box<GatewayError>,
    },
    /// There was no answer in time.
    #[error("the router has not answered within {after:?}")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The [`Gateway`](super::Gateway) panicked; the log says more.
    #[error("the gateway panicked")]
    Panicked,
    /// A [`Gateway`](super::Gateway) of a user failed.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

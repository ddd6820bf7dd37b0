use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::PortProtocol;

/// Why a router does not map a port, or why another request to it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// No router was found.
    #[error("no router found by {by}: {source}")]
    NotFound {
        /// The protocol of the search: UPnP, or PCP and NAT-PMP.
        by: &'static str,
        /// The error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A host outside the local network answered, so that host is not this node's router.
    #[error("{router} answers by {by}, but is not on the local network")]
    Stranger {
        /// The protocol of the answer.
        by: &'static str,
        /// The address of that host.
        router: IpAddr,
    },
    /// The router did not map a port, or did not remove a mapping.
    #[error("router {router}, by {by}: {protocol} port {port}: {source}")]
    Port {
        /// The protocol of the request.
        by: &'static str,
        /// The router's address.
        router: IpAddr,
        /// The protocol of the port.
        protocol: PortProtocol,
        /// The port that the node listens on.
        port: u16,
        /// The router's error, or another cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The router did not report its external address.
    #[error("router {router}, by {by}: its external address: {source}")]
    ExternalIp {
        /// The protocol of the request.
        by: &'static str,
        /// The router's address.
        router: IpAddr,
        /// The router's error, or another cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The router maps port 0, which cannot be dialled.
    #[error("the router maps {external}, which cannot be dialled")]
    PortZero {
        /// The mapped address.
        external: SocketAddr,
    },
    /// No router can reach the listening address, since it is loopback or IPv6.
    #[error("no router can map a port to {local}, on which the node listens")]
    Local {
        /// The address.
        local: SocketAddr,
    },
    /// Neither protocol produced a mapping.
    #[error("{upnp}; {pmp}")]
    Neither {
        /// The error of UPnP.
        upnp: Box<GatewayError>,
        /// The error of PCP and NAT-PMP.
        pmp: Box<GatewayError>,
    },
    /// The router did not answer in time.
    #[error("the router has not answered within {after:?}")]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// The [`Gateway`](super::Gateway) panicked; the log contains the details.
    #[error("the gateway panicked")]
    Panicked,
    /// A user's [`Gateway`](super::Gateway) failed.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

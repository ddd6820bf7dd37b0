//! UPnP: the Internet Gateway Device of the local network.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use igd_next::aio::Gateway as Device;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{AddPortError, PortMappingProtocol, RemovePortError, SearchOptions};

use super::{Gateway, GatewayError, PortMapping, PortProtocol, PortRequest, local};
use crate::node::Reach;
use crate::printable::printable;

/// The name of the protocol in errors.
const BY: &str = "UPnP";

/// How long to search for a router. A router may take 3 s to answer the search, and must then
/// answer further requests.
const SEARCH: Duration = Duration::from_secs(6);

/// The maximum length of an error's text, which can contain a router's whole answer.
const ERROR: usize = 200;

/// The description of the mapping. The router shows this text to its owner.
const DESCRIPTION: &str = "peermux";

/// The router, once it is found.
#[derive(Debug, Default)]
pub(super) struct Upnp(Option<Device<Tokio>>);

impl Upnp {
    /// Returns once a router has answered.
    pub(super) async fn find(&mut self) -> Result<Device<Tokio>, GatewayError> {
        if let Some(device) = &self.0 {
            return Ok(device.clone());
        }
        let mut options = SearchOptions::default();
        options.timeout = Some(SEARCH);
        let found = search_gateway(options).await;
        let device = found.map_err(|error| GatewayError::NotFound {
            by: BY,
            source: said(&error),
        })?;
        let router = device.addr.ip();
        // Any host can answer the search, so a host with a public address is rejected.
        if Reach::of(router) == Reach::Public {
            return Err(GatewayError::Stranger { by: BY, router });
        }
        Ok(self.0.insert(device).clone())
    }

    async fn external_ip_of(&mut self, device: &Device<Tokio>) -> Result<IpAddr, GatewayError> {
        let asked = device.get_external_ip().await;
        asked.map_err(|error| GatewayError::ExternalIp {
            by: BY,
            router: device.addr.ip(),
            source: said(&error),
        })
    }

    async fn try_map(&mut self, request: PortRequest) -> Result<PortMapping, GatewayError> {
        let device = self.find().await?;
        let local = local::address(&request, device.addr).await?;
        // The router's external address is requested first. If the router does not report it, no
        // port is mapped.
        let ip = self.external_ip_of(&device).await?;
        let (port, lease) = add(&device, &request, local)
            .await
            .map_err(|error| refused(&device, &request, error.as_ref()))?;
        Ok(PortMapping {
            external: SocketAddr::new(ip, port),
            lease,
        })
    }
}

impl Gateway for Upnp {
    async fn map(&mut self, request: PortRequest) -> Result<PortMapping, GatewayError> {
        let mapped = self.try_map(request).await;
        // After a failure the next call searches again, because the router may have been replaced,
        // or may use another port after a restart.
        if mapped.is_err() {
            self.0 = None;
        }
        mapped
    }

    async fn unmap(&mut self, request: PortRequest) -> Result<(), GatewayError> {
        let Some(device) = &self.0 else {
            return Ok(());
        };
        let protocol = protocol(request.protocol);
        match device.remove_port(protocol, request.external).await {
            Ok(()) | Err(RemovePortError::NoSuchPortMapping) => Ok(()),
            Err(error) => Err(refused(device, &request, &error)),
        }
    }

    async fn external_ip(&mut self) -> Result<IpAddr, GatewayError> {
        let device = self.find().await?;
        self.external_ip_of(&device).await
    }
}

/// Maps the requested port, or another one if that port is in use.
///
/// Returns the port and the lease. If the router does not support leases, the mapping is permanent.
async fn add(
    device: &Device<Tokio>,
    request: &PortRequest,
    local: SocketAddr,
) -> Result<(u16, Option<Duration>), Box<dyn Error + Send + Sync>> {
    let (protocol, wanted) = (protocol(request.protocol), request.external);
    let seconds = u32::try_from(request.lease.as_secs()).unwrap_or(u32::MAX);
    let mut lease = seconds;
    let add = |lease| device.add_port(protocol, wanted, local, lease, DESCRIPTION);
    let mut added = add(lease).await;
    if matches!(added, Err(AddPortError::OnlyPermanentLeasesSupported)) {
        lease = 0;
        added = add(lease).await;
    }
    let port = match added {
        Ok(()) => wanted,
        Err(AddPortError::PortInUse) => {
            let any = device.add_any_port(protocol, local, lease, DESCRIPTION);
            any.await?
        }
        Err(error) => return Err(error.into()),
    };
    let lasting = (lease != 0).then(|| Duration::from_secs(lease.into()));
    Ok((port, lasting))
}

fn protocol(protocol: PortProtocol) -> PortMappingProtocol {
    match protocol {
        PortProtocol::Tcp => PortMappingProtocol::TCP,
        PortProtocol::Udp => PortMappingProtocol::UDP,
    }
}

fn refused(device: &Device<Tokio>, request: &PortRequest, error: &dyn Error) -> GatewayError {
    GatewayError::Port {
        by: BY,
        router: device.addr.ip(),
        protocol: request.protocol,
        port: request.local.port(),
        source: said(error),
    }
}

/// Converts an error to one short line. The error can contain text from the router.
fn said(error: &(impl fmt::Display + ?Sized)) -> Box<dyn Error + Send + Sync> {
    printable(&error.to_string(), ERROR).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_does_not_repeat_a_whole_answer() {
        let answer = "<?xml?>\r\n\u{1b}[2J".repeat(1 << 16);
        let error = igd_next::RequestError::InvalidResponse(answer);
        let text = said(&error).to_string();
        assert_eq!(text.chars().count(), ERROR);
        assert!(!text.contains(char::is_control), "{text}");
    }
}

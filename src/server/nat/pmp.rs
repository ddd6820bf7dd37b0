//! PCP and NAT-PMP, at port 5351 of a router.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::natpmp::{self, Failure};
use crab_nat::{
    GATEWAY_PORT, GatewayAddress, InternetProtocol, MappingFailure, PortMappingOptions,
    PortMappingType, TimeoutConfig, pcp,
};

use super::{Gateway, GatewayError, PortMapping, PortProtocol, PortRequest, local};

/// The name of the protocols in errors.
const BY: &str = "PCP or NAT-PMP";

/// Sends a request four times in 2.75 s.
const TIMES: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 3,
    max_retry_timeout: Some(Duration::from_secs(1)),
};

/// A router that speaks PCP or NAT-PMP.
#[derive(Debug, Default)]
pub(super) struct Pmp {
    given: Option<Ipv4Addr>,
    /// The mappings. PCP needs their nonces to renew and remove them.
    tcp: Option<crab_nat::PortMapping>,
    udp: Option<crab_nat::PortMapping>,
}

impl Pmp {
    /// Uses the router at this address, else the default router.
    pub(super) fn new(given: Option<Ipv4Addr>) -> Self {
        Self {
            given,
            ..Self::default()
        }
    }

    async fn router(&self) -> Result<Ipv4Addr, GatewayError> {
        match self.given {
            Some(router) => Ok(router),
            None => local::default_router().await.map_err(not_found),
        }
    }

    fn held(&mut self, protocol: PortProtocol) -> &mut Option<crab_nat::PortMapping> {
        match protocol {
            PortProtocol::Tcp => &mut self.tcp,
            PortProtocol::Udp => &mut self.udp,
        }
    }

    /// Returns once a router has answered.
    pub(super) async fn find(&mut self) -> Result<(), GatewayError> {
        let router = self.router().await?;
        match natpmp::external_address(router.into(), Some(TIMES)).await {
            // The router may speak PCP only.
            Ok(_) | Err(Failure::UnsupportedVersion(_)) => Ok(()),
            Err(error) => Err(not_found(error)),
        }
    }

    /// Requests a mapping by PCP, which identifies the owner of a mapping. If PCP fails, requests
    /// the mapping by NAT-PMP.
    ///
    /// PCP fails if the router speaks only NAT-PMP. PCP also fails if the router reserves the port
    /// for an earlier run of this node, whose nonce is lost.
    async fn ask(
        &mut self,
        router: Ipv4Addr,
        request: &PortRequest,
    ) -> Result<crab_nat::PortMapping, GatewayError> {
        let router_addr = SocketAddr::new(router.into(), GATEWAY_PORT);
        let local = local::address(request, router_addr).await?;
        let gateway = GatewayAddress::from(router);
        let protocol = internet(request.protocol);
        let options = PortMappingOptions {
            external_port: NonZeroU16::new(request.external),
            lifetime_seconds: u32::try_from(request.lease.as_secs()).ok(),
            timeout_config: Some(TIMES),
        };
        let port = NonZeroU16::new(local.port()).ok_or(GatewayError::Local { local })?;
        let base = pcp::BaseMapRequest::new(gateway, local.ip(), protocol, port);
        let (nonce, ip) = match self.held(request.protocol).as_ref() {
            Some(held) if held.gateway() == gateway => match held.mapping_type() {
                PortMappingType::Pcp {
                    nonce, external_ip, ..
                } => (Some(nonce), Some(external_ip)),
                PortMappingType::NatPmp => (None, None),
            },
            _ => (None, None),
        };
        let by_pcp = match pcp::port_mapping(base, nonce, ip, options).await {
            Ok(mapping) => return Ok(mapping),
            Err(error) => error,
        };
        let by_pmp = natpmp::port_mapping(gateway, protocol, port, options).await;
        by_pmp.map_err(|by_pmp| {
            let source = match by_pcp {
                pcp::Failure::UnsupportedVersion(_) => MappingFailure::from(by_pmp),
                by_pcp => by_pcp.into(),
            };
            refused(router, request, source)
        })
    }
}

impl Gateway for Pmp {
    async fn map(&mut self, request: PortRequest) -> Result<PortMapping, GatewayError> {
        let router = self.router().await?;
        let mapping = self.ask(router, &request).await?;
        let port = mapping.external_port().get();
        let lease = Duration::from_secs(mapping.lifetime().into());
        let mapped_by = mapping.mapping_type();
        *self.held(request.protocol) = Some(mapping);
        let ip = match mapped_by {
            PortMappingType::Pcp { external_ip, .. } => external_ip.to_canonical(),
            PortMappingType::NatPmp => asked_ip(router).await?.into(),
        };
        Ok(PortMapping {
            external: SocketAddr::new(ip, port),
            lease: Some(lease),
        })
    }

    async fn unmap(&mut self, request: PortRequest) -> Result<(), GatewayError> {
        let Some(held) = self.held(request.protocol).take() else {
            return Ok(());
        };
        let router = match IpAddr::from(held.gateway()) {
            IpAddr::V4(router) => router,
            IpAddr::V6(_) => return Ok(()),
        };
        let ended = held.try_drop().await;
        ended.map_err(|(error, _)| refused(router, &request, error))
    }

    async fn external_ip(&mut self) -> Result<IpAddr, GatewayError> {
        let router = self.router().await?;
        let error = match natpmp::external_address(router.into(), Some(TIMES)).await {
            Ok(ip) => return Ok(ip.into()),
            Err(error) => error,
        };
        // PCP reports the router's external address only with a mapping, so a new address is
        // detected when the mapping is renewed.
        let held = self.tcp.iter().chain(&self.udp).next();
        match (&error, held.map(crab_nat::PortMapping::mapping_type)) {
            (Failure::UnsupportedVersion(_), Some(PortMappingType::Pcp { external_ip, .. })) => {
                Ok(external_ip.to_canonical())
            }
            _ => Err(no_external_ip(router, error)),
        }
    }
}

async fn asked_ip(router: Ipv4Addr) -> Result<Ipv4Addr, GatewayError> {
    let asked = natpmp::external_address(router.into(), Some(TIMES)).await;
    asked.map_err(|error| no_external_ip(router, error))
}

fn internet(protocol: PortProtocol) -> InternetProtocol {
    match protocol {
        PortProtocol::Tcp => InternetProtocol::Tcp,
        PortProtocol::Udp => InternetProtocol::Udp,
    }
}

fn not_found(error: impl Error + Send + Sync + 'static) -> GatewayError {
    GatewayError::NotFound {
        by: BY,
        source: Box::new(error),
    }
}

fn refused(router: Ipv4Addr, request: &PortRequest, source: MappingFailure) -> GatewayError {
    GatewayError::Port {
        by: BY,
        router: router.into(),
        protocol: request.protocol,
        port: request.local.port(),
        source: Box::new(source),
    }
}

fn no_external_ip(router: Ipv4Addr, source: Failure) -> GatewayError {
    GatewayError::ExternalIp {
        by: BY,
        router: router.into(),
        source: Box::new(source),
    }
}

// The tests run on Linux only, since other systems have only one loopback address.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

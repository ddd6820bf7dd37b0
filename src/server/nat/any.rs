//! Tries UPnP and PCP/NAT-PMP at once, and uses the protocol that answers first.

use std::net::IpAddr;
use std::pin::pin;

use futures::future::{Either, select};

use super::pmp::Pmp;
use super::upnp::Upnp;
use super::{Gateway, GatewayError, PortMapping, PortRequest};

/// The protocol that answers first. If neither protocol finds a router, the error contains both
/// causes.
#[derive(Debug, Default)]
pub(super) struct Any {
    upnp: Upnp,
    pmp: Pmp,
    chosen: Option<By>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Upnp,
    Pmp,
}

impl By {
    fn other(self) -> Self {
        match self {
            Self::Upnp => Self::Pmp,
            Self::Pmp => Self::Upnp,
        }
    }

    /// Combines the errors of this protocol and the other.
    fn neither(self, error: GatewayError, other: GatewayError) -> GatewayError {
        let (upnp, pmp) = match self {
            Self::Upnp => (error, other),
            Self::Pmp => (other, error),
        };
        GatewayError::Neither {
            upnp: Box::new(upnp),
            pmp: Box::new(pmp),
        }
    }
}

impl Any {
    /// Searches by both protocols at once. A search creates no mapping, so the slower protocol
    /// leaves none behind.
    async fn find(&mut self) -> Result<By, GatewayError> {
        if let Some(chosen) = self.chosen {
            return Ok(chosen);
        }
        let upnp = async { self.upnp.find().await.map(|_| By::Upnp) };
        let pmp = async { self.pmp.find().await.map(|()| By::Pmp) };
        let (by, error, other) = match select(pin!(upnp), pin!(pmp)).await {
            Either::Left((Err(error), other)) => (By::Upnp, error, other.await),
            Either::Right((Err(error), other)) => (By::Pmp, error, other.await),
            Either::Left((Ok(by), _)) | Either::Right((Ok(by), _)) => return Ok(by),
        };
        other.map_err(|other| by.neither(error, other))
    }

    async fn map_by(&mut self, by: By, request: PortRequest) -> Result<PortMapping, GatewayError> {
        let mapped = match by {
            By::Upnp => self.upnp.map(request).await,
            By::Pmp => self.pmp.map(request).await,
        };
        self.chosen = mapped.is_ok().then_some(by);
        mapped
    }
}

impl Gateway for Any {
    async fn map(&mut self, request: PortRequest) -> Result<PortMapping, GatewayError> {
        let first = self.find().await?;
        let error = match self.map_by(first, request).await {
            Ok(mapping) => return Ok(mapping),
            Err(error) => error,
        };
        // A router may answer by one protocol, but permit only the other protocol to map ports.
        let other = self.map_by(first.other(), request).await;
        other.map_err(|other| first.neither(error, other))
    }

    async fn unmap(&mut self, request: PortRequest) -> Result<(), GatewayError> {
        // A protocol that has created no mapping sends nothing.
        self.upnp
            .unmap(request)
            .await
            .and(self.pmp.unmap(request).await)
    }

    async fn external_ip(&mut self) -> Result<IpAddr, GatewayError> {
        match self.find().await? {
            By::Upnp => self.upnp.external_ip().await,
            By::Pmp => self.pmp.external_ip().await,
        }
    }
}

//! The interface to a router that maps ports.

use std::future::Future;
use std::net::IpAddr;

use futures::future::BoxFuture;

use super::{GatewayError, PortMapping, PortRequest};

/// A router that maps ports, for [`ServerBuilder::gateway`](crate::ServerBuilder::gateway).
///
/// A server makes one call at a time, waits at most 30 s for each, and drops the future when the
/// server stops. A panic counts as a failure.
pub trait Gateway: Send + 'static {
    /// Maps a port to this machine, or extends the lease of its mapping.
    ///
    /// # Errors
    /// [`GatewayError`] if the port is not mapped; the server retries after a growing wait.
    fn map(
        &mut self,
        port: PortRequest,
    ) -> impl Future<Output = Result<PortMapping, GatewayError>> + Send;

    /// Removes the mapping to [`local`](PortRequest::local), if there is one.
    ///
    /// The request's `external` is the port that [`map`](Self::map) returned. The server calls this
    /// method when it stops, and waits up to 2 s for the call. A missing mapping is not an error.
    ///
    /// # Errors
    /// [`GatewayError`] if the mapping is not removed; the server logs the error.
    fn unmap(&mut self, port: PortRequest)
    -> impl Future<Output = Result<(), GatewayError>> + Send;

    /// Returns the router's external address.
    ///
    /// The server calls this every two minutes, to detect a new address before the lease ends.
    ///
    /// # Errors
    /// [`GatewayError`] if the address is unknown; the server then renews its mapping.
    fn external_ip(&mut self) -> impl Future<Output = Result<IpAddr, GatewayError>> + Send;
}

type Answer<'a, T> = BoxFuture<'a, Result<T, GatewayError>>;

/// A boxed [`Gateway`] of any type.
pub(in crate::server) trait DynGateway: Send {
    fn map(&mut self, port: PortRequest) -> Answer<'_, PortMapping>;
    fn unmap(&mut self, port: PortRequest) -> Answer<'_, ()>;
    fn external_ip(&mut self) -> Answer<'_, IpAddr>;
}

impl<G: Gateway> DynGateway for G {
    fn map(&mut self, port: PortRequest) -> Answer<'_, PortMapping> {
        Box::pin(Gateway::map(self, port))
    }

    fn unmap(&mut self, port: PortRequest) -> Answer<'_, ()> {
        Box::pin(Gateway::unmap(self, port))
    }

    fn external_ip(&mut self) -> Answer<'_, IpAddr> {
        Box::pin(Gateway::external_ip(self))
    }
}

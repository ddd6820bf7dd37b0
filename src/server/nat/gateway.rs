//! Who maps ports.

use std::future::Future;
use std::net::IpAddr;

use futures::future::BoxFuture;

use super::{GatewayError, PortMapping, PortRequest};

/// A router that maps ports, for [`ServerBuilder::gateway`](crate::ServerBuilder::gateway).
///
/// A server makes one call at a time, waits 30 s at most for each, and drops the future when the server
/// stops. A call that panics has failed.
pub trait Gateway: Send + 'static {
    /// Maps a port to this machine, or prolongs the lease of one that it has mapped.
    ///
    /// # Errors
    /// [`GatewayError`]; the server tries again after a growing wait.
    fn map(
        &mut self,
        port: PortRequest,
    ) -> impl Future<Output = Result<PortMapping, GatewayError>> + Send;

    /// Ends the mapping to [`local`](PortRequest::local); `external` is what [`map`](Self::map) returned.
    /// It is called when the server stops, which waits 2 s for it. One that is not there is no error.
    ///
    /// # Errors
    /// [`GatewayError`], which is logged.
    fn unmap(&mut self, port: PortRequest)
    -> impl Future<Output = Result<(), GatewayError>> + Send;

    /// The router's own address. It is asked every two minutes, so that a new address is noticed before a
    /// lease ends.
    ///
    /// # Errors
    /// [`GatewayError`]; the server asks for its mapping again then.
    fn external_ip(&mut self) -> impl Future<Output = Result<IpAddr, GatewayError>> + Send;
}

type Answer<'a, T> = BoxFuture<'a, Result<T, GatewayError>>;

/// A [`Gateway`] of any type.
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

//! Stands in for metrics if the feature is not built.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// The server of metrics, which cannot exist without the feature.
pub(crate) struct Serving(Infallible);

#[derive(Debug, Serialize)]
pub(crate) enum Served {}

impl fmt::Display for Served {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Serving {
    #[expect(clippy::unused_async, reason = "as where the feature is built")]
    pub(crate) async fn start(addr: SocketAddr, _: CancellationToken) -> Result<Self, Failure> {
        Err(Failure::Usage(format!(
            "no metrics on {addr}: this program was built without the feature `metrics`"
        )))
    }

    #[cfg(unix)]
    pub(crate) fn addr(&self) -> SocketAddr {
        match self.0 {}
    }

    pub(crate) fn ready(&self) -> Served {
        match self.0 {}
    }
}

//! The dialer of a server's connection manager.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio_util::either::Either;

use super::NodeAddr;
use crate::connmgr::{ConnectError, Dialer};
use crate::node::Enode;
use crate::server::checks::Checks;
use crate::server::connection::Socket;
use crate::server::meters::DialMeter;

/// Dials nodes, and reports that to the store. `In` is what listeners accept.
pub(crate) struct ServerDialer<D, In> {
    dialer: Arc<D>,
    checks: Arc<Checks>,
    accepts: PhantomData<fn() -> In>,
}

impl<D, In> ServerDialer<D, In> {
    pub(crate) fn new(dialer: Arc<D>, checks: Arc<Checks>) -> Self {
        Self {
            dialer,
            checks,
            accepts: PhantomData,
        }
    }
}

impl<D, In> Dialer for ServerDialer<D, In>
where
    D: Dialer<Addr = Enode>,
    In: Send + 'static,
{
    type Addr = NodeAddr;
    type Io = Socket<Either<D::Io, In>>;

    async fn dial(&self, addr: &NodeAddr) -> Result<Self::Io, ConnectError> {
        let NodeAddr::Node(node) = addr else {
            return Err(ConnectError::Broken);
        };
        let (id, checks) = (node.node_id(), &self.checks);
        checks.store.attempt(&id);
        let meter = DialMeter::started();
        let stream = self.dialer.dial(node).await?;
        checks.store.dial_succeeded();
        Ok(Socket {
            stream: Either::Left(stream),
            slot: None,
            dial: Some(meter),
        })
    }
}

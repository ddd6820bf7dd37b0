//! The dialer of a server's connection manager.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio_util::either::Either;

use super::NodeAddr;
use crate::connmgr::{ConnectError, Dialer};
use crate::node::Enode;
use crate::server::connection::Socket;
use crate::server::gate::Gate;
use crate::server::meters::DialMeter;

/// Dials nodes, and reports that to the memory. `In` is what listeners accept.
pub(crate) struct ServerDialer<D, In> {
    dialer: Arc<D>,
    gate: Arc<Gate>,
    accepts: PhantomData<fn() -> In>,
}

impl<D, In> ServerDialer<D, In> {
    pub(crate) fn new(dialer: Arc<D>, gate: Arc<Gate>) -> Self {
        Self {
            dialer,
            gate,
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
        let (id, gate) = (node.node_id(), &self.gate);
        gate.memory.attempt(&id);
        let meter = DialMeter::started();
        let stream = self.dialer.dial(node).await?;
        gate.memory.dial_succeeded();
        Ok(Socket {
            stream: Either::Left(stream),
            slot: None,
            dial: Some(meter),
        })
    }
}

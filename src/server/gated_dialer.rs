//! A dialer behind the server's last look.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::either::Either;

use super::gate::Gate;
use super::meters::DialMeter;
use super::node_addr::NodeAddr;
use super::socket_io::Socket;
use crate::connmgr::{DialError, Dialer};
use crate::node::Enode;

/// Dials nodes that are wanted at that very moment, and lets the memory know.
pub(crate) struct GatedDialer<D, In> {
    dialer: Arc<D>,
    gate: Arc<Gate>,
    accepts: PhantomData<fn() -> In>,
}

impl<D, In> GatedDialer<D, In> {
    pub(crate) fn new(dialer: Arc<D>, gate: Arc<Gate>) -> Self {
        Self {
            dialer,
            gate,
            accepts: PhantomData,
        }
    }
}

impl<D, In> Dialer for GatedDialer<D, In>
where
    D: Dialer<Addr = Enode>,
    In: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Addr = NodeAddr;
    type Io = Socket<Either<D::Io, In>>;

    async fn dial(&self, addr: &NodeAddr) -> Result<Self::Io, DialError> {
        let NodeAddr::Node(node) = addr else {
            return Err(DialError::Broken);
        };
        let (id, gate) = (node.node_id(), &self.gate);
        gate.check_node(node).map_err(DialError::Unwanted)?;
        gate.check_peer(&id).map_err(DialError::Unwanted)?;
        // Nodes from sources were counted when they were drawn.
        if gate.peers.is_static(&id) || gate.waiters.any(&id) {
            gate.memory.attempt(&id);
        }
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

//! The dialer for a server's connection manager.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::either::Either;

use super::NodeAddr;
use crate::connmgr::{ConnectError, Dialer};
use crate::node::Enode;
use crate::server::checks::Checks;
use crate::server::connection::Socket;
use crate::server::meters::ServerMeters;
use crate::setup::Direction;
use crate::stage::Stage;
use crate::transport::Transport;

/// Connects to a node, and closes a socket whose address is not permitted.
pub(crate) async fn open<D>(
    dialer: &D,
    checks: &Checks,
    node: &Enode,
) -> Result<D::Io, ConnectError>
where
    D: Dialer<Addr = Enode, Io: Transport>,
{
    let stream = dialer.dial(&checks.permitted_part(node)).await?;
    checks.store.dial_succeeded();
    if let Some(addr) = stream.remote_addr() {
        let allowed = checks.check_ip(addr.ip());
        allowed.map_err(ConnectError::Unwanted)?;
    }
    Ok(stream)
}

/// Dials nodes. `In` is the type of the streams that listeners accept.
pub(crate) struct ServerDialer<D, In> {
    dialer: Arc<D>,
    checks: Arc<Checks>,
    meters: ServerMeters,
    accepts: PhantomData<fn() -> In>,
}

impl<D, In> ServerDialer<D, In> {
    pub(crate) fn new(dialer: Arc<D>, checks: Arc<Checks>, meters: ServerMeters) -> Self {
        Self {
            dialer,
            checks,
            meters,
            accepts: PhantomData,
        }
    }
}

impl<D, In> Dialer for ServerDialer<D, In>
where
    D: Dialer<Addr = Enode, Io: Transport>,
    In: Send + 'static,
{
    type Addr = NodeAddr;
    type Io = Socket<Either<D::Io, In>>;

    async fn dial(&self, addr: &NodeAddr) -> Result<Self::Io, ConnectError> {
        let NodeAddr::Node(node) = addr else {
            return Err(ConnectError::Broken);
        };
        let (meter, started) = (self.meters.dial_started(), Instant::now());
        let stream = open(&*self.dialer, &self.checks, node).await?;
        let took = started.elapsed();
        self.meters
            .stage_passed(Direction::Outbound, Stage::Dial, took);
        Ok(Socket {
            stream: Either::Left(stream),
            slot: None,
            dial: Some(meter),
        })
    }

    fn may_reach(&self, addr: &NodeAddr) -> bool {
        match addr {
            NodeAddr::Node(node) => self.dialer.may_reach(node),
            NodeAddr::Inbound(_) => false,
        }
    }
}

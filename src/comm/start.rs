//! The start of the layer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::connector::DynConnector;
use super::identity::IdentityStore;
use super::message::LENGTH;
use super::shared::Shared;
use super::stats::Stats;
use super::table::ConnectionTable;
use super::{
    Comm, CommStartError, Config, Connector, IdentityProvider, IdentityRecord, connection,
};
use crate::calendar::Calendar;
use crate::channel::{ProtocolConn, ProtocolLimits};
use crate::connmgr::{Dialer, Listener};
use crate::message::Message;
use crate::metrics::NodeLabel;
use crate::node::{Enode, NodeId};
use crate::peer::{Peer, ProtocolError, ProtocolHandler};
use crate::runtime;
use crate::server::{Server, ServerBuilder};
use crate::transport::Transport;

impl Comm {
    /// Starts a server and the layer above it.
    ///
    /// The call registers `comm/1` with the server, and the server makes the layer's connections. A
    /// message that arrives before there is a subscription for it is dropped; where that matters,
    /// use [`start_with`](Self::start_with).
    ///
    /// The caller must stop the layer and then the server: [`stop`](Self::stop), then
    /// [`Server::shutdown`].
    ///
    /// # Errors
    /// [`CommStartError`] if a setting is too small, if the provider's own identity is not valid,
    /// or if the server cannot start.
    pub async fn start<D, L>(
        config: Config,
        provider: impl IdentityProvider,
        server: ServerBuilder<D, L>,
    ) -> Result<(Server, Self), CommStartError>
    where
        D: Dialer<Addr = Enode, Io: Transport>,
        L: Listener<Addr = SocketAddr, Io: Transport>,
    {
        let (server, comm, ()) = Self::start_with(config, provider, server, |_| ()).await?;
        Ok((server, comm))
    }

    /// Like [`start`](Self::start), but calls `subscribe` before the server accepts connections.
    ///
    /// A subscription created in `subscribe` misses no message and no event. Messages cannot be
    /// sent from `subscribe`: they fail with [`CommError::Stopped`](super::CommError::Stopped).
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn start_with<D, L, T>(
        config: Config,
        provider: impl IdentityProvider,
        server: ServerBuilder<D, L>,
        subscribe: impl FnOnce(&Self) -> T,
    ) -> Result<(Server, Self, T), CommStartError>
    where
        D: Dialer<Addr = Enode, Io: Transport>,
        L: Listener<Addr = SocketAddr, Io: Transport>,
    {
        let stats = Stats::new(NodeLabel::new(server.metrics_label.as_ref()));
        let comm = Self::prepare(config, server.id(), provider, stats)?;
        let subscribed = subscribe(&comm);
        let protocol = CommProtocol(Arc::clone(comm.shared()));
        let server = server.protocol(protocol).start().await?;
        comm.shared().memory.share(server.memory());
        comm.shared().begin(Arc::new(server.clone()));
        Ok((server, comm, subscribed))
    }

    /// Creates the layer of `node` without a [`Server`], over connections that `connector` makes.
    ///
    /// The code that runs the peers must also run the returned protocol with them. The layer holds
    /// the connector until the layer stops.
    ///
    /// # Errors
    /// [`CommStartError::Config`] if a setting is too small, [`CommStartError::Identity`] if the
    /// provider's own identity is not valid, [`CommStartError::Runtime`] outside a tokio runtime or
    /// in one without timers.
    pub fn with_connector(
        config: Config,
        node: NodeId,
        provider: impl IdentityProvider,
        connector: impl Connector,
    ) -> Result<(CommProtocol, Self), CommStartError> {
        let comm = Self::prepare(config, node, provider, Stats::default())?;
        let connector: Arc<dyn DynConnector> = Arc::new(connector);
        comm.shared().begin(connector);
        Ok((CommProtocol(Arc::clone(comm.shared())), comm))
    }

    /// Creates the layer, without a connector yet.
    fn prepare(
        config: Config,
        node: NodeId,
        provider: impl IdentityProvider,
        stats: Stats,
    ) -> Result<Self, CommStartError> {
        let runtime = runtime::with_timers()?;
        config.check()?;
        let provider: Arc<dyn IdentityProvider> = Arc::new(provider);
        let now = config.unix_time();
        let now = now.unwrap_or_else(|| Calendar::system().unix_now());
        let record = IdentityRecord::examine(&*provider, &provider.identity(), now)?;
        let own = record.id;
        let identities = IdentityStore::new(record, config.identities(), now);
        let stats = Arc::new(stats);
        let table = ConnectionTable::new(node, config.clone(), identities, Arc::clone(&stats));
        let shared = Shared::new(node, config, provider, table, stats, runtime);
        Ok(Self::of(shared, own))
    }
}

/// The subprotocol `comm/1` of one node.
#[derive(Clone)]
pub struct CommProtocol(Arc<Shared>);

impl ProtocolHandler for CommProtocol {
    type Message = Message;
    const NAME: &'static str = super::NAME;
    const VERSION: u64 = super::VERSION;
    const LENGTH: u64 = LENGTH;

    async fn run(self: Arc<Self>, peer: Peer, conn: ProtocolConn) -> Result<(), ProtocolError> {
        connection::run(&self.0, peer, conn).await
    }

    fn limits(&self) -> ProtocolLimits {
        ProtocolLimits::default().with_max_message(self.0.config.max_message())
    }
}

impl fmt::Debug for CommProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommProtocol").finish_non_exhaustive()
    }
}

//! From a stream to a peer in the set, past both admission checkpoints.

use std::future::Future;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, debug, info_span};

use super::handle::{Inner, spawn};
use crate::node::PublicKey;
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerDriver, PeerEvent};
use crate::setup::{Authenticated, Established, SetupError, accept, initiate};
use crate::stage::Stage;
use crate::transport::Transport;

/// Sets up a connection that the remote opened.
pub(crate) async fn inbound<T: Transport>(
    inner: &Arc<Inner>,
    stream: T,
) -> Result<Peer, SetupError> {
    let span = info_span!("conn", dir = "inbound", remote = ?stream.remote_addr(), peer = tracing::field::Empty);
    let authenticate = accept(stream, &inner.key, inner.legacy);
    admit(inner, Stage::Auth, authenticate)
        .instrument(span)
        .await
}

/// Sets up a connection that this side opened to `remote`.
pub(crate) async fn outbound<T: Transport>(
    inner: &Arc<Inner>,
    stream: T,
    remote: &PublicKey,
) -> Result<Peer, SetupError> {
    let span = info_span!("conn", dir = "outbound", remote = ?stream.remote_addr(), peer = tracing::field::Empty);
    let authenticate = initiate(stream, &inner.key, remote);
    admit(inner, Stage::Ack, authenticate)
        .instrument(span)
        .await
}

/// Authenticates, asks the peer set, exchanges Hello, asks again, and starts the peer; all under
/// one deadline.
async fn admit<T: Transport>(
    inner: &Arc<Inner>,
    stage: Stage,
    authenticate: impl Future<Output = Result<Authenticated<T>, SetupError>>,
) -> Result<Peer, SetupError> {
    let deadline = Instant::now() + inner.limits.setup_timeout;
    let authenticated = bounded(inner, deadline, stage, authenticate).await?;
    let id = authenticated.id();
    Span::current().record("peer", tracing::field::display(id));
    if let Err(reason) = inner.peers.check(&id) {
        spawn(inner, authenticated.refuse(reason).in_current_span());
        return Err(SetupError::RefusedHere(reason));
    }
    let hello = authenticated.exchange_hello(&inner.hello);
    let established = bounded(inner, deadline, Stage::Hello, hello).await?;
    launch(inner, established)
}

/// Bounds one step by the deadline of the whole set-up and by the server's own end.
async fn bounded<R>(
    inner: &Inner,
    deadline: Instant,
    stage: Stage,
    step: impl Future<Output = Result<R, SetupError>>,
) -> Result<R, SetupError> {
    let after = inner.limits.setup_timeout;
    tokio::select! {
        result = timeout_at(deadline, step) => {
            result.unwrap_or(Err(SetupError::TimedOut { stage, after }))
        }
        () = inner.stopping.cancelled() => {
            Err(SetupError::RefusedHere(DisconnectReason::CLIENT_QUITTING))
        }
    }
}

fn launch<T: Transport>(
    inner: &Arc<Inner>,
    established: Established<T>,
) -> Result<Peer, SetupError> {
    let theirs = &established.hello().capabilities;
    let useful = inner.protocols.is_empty()
        || inner
            .protocols
            .iter()
            .any(|protocol| theirs.contains(protocol.capability()));
    if !useful {
        spawn(
            inner,
            established
                .refuse(DisconnectReason::USELESS_PEER)
                .in_current_span(),
        );
        return Err(SetupError::RefusedHere(DisconnectReason::USELESS_PEER));
    }
    // The sum of all lengths was checked at the start, that of some of them is smaller.
    let driver = PeerDriver::new(established, &inner.protocols, inner.options.clone())
        .map_err(|_| SetupError::RefusedHere(DisconnectReason::REQUESTED))?;
    let peer = driver.peer().clone();
    if let Err(reason) = inner.peers.insert(peer.clone()) {
        spawn(inner, driver.refuse(reason).in_current_span());
        return Err(SetupError::RefusedHere(reason));
    }
    debug!(client = %peer.name(), shared = peer.shared_capabilities().len(), "peer connected");
    inner.events.emit(PeerEvent::Added { peer: peer.clone() });
    spawn(inner, run(Arc::clone(inner), driver).in_current_span());
    Ok(peer)
}

async fn run<T: Transport>(inner: Arc<Inner>, driver: PeerDriver<T>) {
    let peer = driver.peer().clone();
    // Whoever waits for the end may dial the node again at once.
    let remove = || inner.peers.remove(&peer.id());
    let outcome = driver.run_until(remove).await;
    inner.events.emit(PeerEvent::Dropped { peer, outcome });
}

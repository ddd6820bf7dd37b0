//! From a stream to a peer in the set, past both admission checkpoints.

use std::future::Future;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, debug, info_span};

use super::handle::{Inner, spawn};
use super::tie_break::Superseded;
use crate::node::PublicKey;
use crate::p2p::DisconnectReason;
use crate::peer::{Peer, PeerDriver, PeerEvent};
use crate::setup::{Authenticated, Established, SetupError, initiate, receive_auth};
use crate::stage::Stage;
use crate::transport::Transport;

/// Sets up a connection that the remote opened.
pub(crate) async fn inbound<T: Transport>(
    inner: &Arc<Inner>,
    stream: T,
) -> Result<Peer, SetupError> {
    let span = info_span!("conn", dir = "inbound", remote = ?stream.remote_addr(), peer = tracing::field::Empty);
    let deadline = Instant::now() + inner.limits.setup_timeout;
    let steps = async {
        let receive = receive_auth(stream, &inner.key, inner.legacy);
        let received = bounded(inner, deadline, Stage::Auth, receive).await?;
        let mut turn = inner.tie_break.inbound(received.claimed().node_id());
        let held = async {
            turn.before_ack().await;
            Ok(())
        };
        bounded(inner, deadline, Stage::Auth, held).await?;
        let authenticated = bounded(inner, deadline, Stage::Ack, received.answer()).await?;
        let established = introduce(inner, deadline, authenticated).await?;
        turn.verified();
        launch(inner, established)
    };
    steps.instrument(span).await
}

/// Sets up a connection that this side opened to `remote`.
pub(crate) async fn outbound<T: Transport>(
    inner: &Arc<Inner>,
    stream: T,
    remote: &PublicKey,
) -> Result<Peer, SetupError> {
    let span = info_span!("conn", dir = "outbound", remote = ?stream.remote_addr(), peer = tracing::field::Empty);
    let taken = SetupError::RefusedHere(DisconnectReason::ALREADY_CONNECTED);
    let Some(mut turn) = inner.tie_break.dial(remote.node_id()) else {
        return Err(taken);
    };
    let superseded = turn.superseded();
    let steps = async {
        let given_up = |Superseded| SetupError::RefusedHere(DisconnectReason::ALREADY_CONNECTED);
        turn.before_auth().await.map_err(given_up)?;
        let (deadline, paused) = (Instant::now() + inner.limits.setup_timeout, turn.paused());
        let initiate = initiate(stream, &inner.key, remote);
        let authenticated = bounded(inner, deadline, Stage::Ack, initiate).await?;
        turn.before_hello().await.map_err(given_up)?;
        // The pause is not the remote's.
        let deadline = deadline + (turn.paused() - paused);
        let established = introduce(inner, deadline, authenticated).await?;
        launch(inner, established)
    };
    let steps = steps.instrument(span);
    tokio::select! {
        biased;
        result = steps => result,
        Superseded = superseded => Err(taken),
    }
}

/// Asks the peer set and exchanges Hello.
async fn introduce<T: Transport>(
    inner: &Arc<Inner>,
    deadline: Instant,
    authenticated: Authenticated<T>,
) -> Result<Established<T>, SetupError> {
    let id = authenticated.id();
    Span::current().record("peer", tracing::field::display(id));
    if let Err(reason) = inner.peers.check(&id, authenticated.direction()) {
        spawn(inner, authenticated.refuse(reason).in_current_span());
        return Err(SetupError::RefusedHere(reason));
    }
    let hello = authenticated.exchange_hello(&inner.hello);
    bounded(inner, deadline, Stage::Hello, hello).await
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

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::demux::{Subscription, SubscriptionConfig};
use super::message::DATA;
use super::send_queue::Draft;
use super::shared::Shared;
use super::stats::CommStats;
use super::table::{FlightResult, Landed, Purpose, Route};
use super::{
    AckPolicy, AggregatedSendResult, CommError, CommEvent, ConnInfo, ConnectionEnd, Envelope,
    PeerId, Receipt, ReceivedMessage, RemotePeer, SendResult,
};
use crate::event_stream::EventStream;
use crate::guarded::caught;
use crate::node::{Enode, NodeId};
use crate::peer::Peer;
use crate::time::after;

/// Sends to identities, and receives from them.
///
/// Cheap to clone. When the last clone is dropped, the layer stops without waiting for its
/// connections to end.
///
/// Use the handle inside a tokio runtime. See the [module](super) for an example.
#[derive(Clone)]
pub struct Comm {
    shared: Arc<Shared>,
    own: PeerId,
    _last: Arc<StopOnDrop>,
}

struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Comm {
    pub(super) fn of(shared: Arc<Shared>, own: PeerId) -> Self {
        Self {
            own,
            _last: Arc::new(StopOnDrop(Arc::clone(&shared))),
            shared,
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The id of this node's identity.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.own
    }

    /// The time since 1970 against which identities are checked.
    ///
    /// See [`Config::with_unix_time`](super::Config::with_unix_time).
    #[must_use]
    pub fn unix_time(&self) -> Duration {
        self.shared.unix_now()
    }

    /// Sends a message to each of `peers`, connecting to those that are not yet connected.
    ///
    /// The call never waits: if the queue of a peer is full, the message to that peer is dropped.
    /// Messages from one task to one peer keep their order. Returns one receipt for each peer, in
    /// the order of `peers`. A receipt reports the outcome of the message to its peer; it need not
    /// be awaited.
    pub fn send(&self, message: &Envelope, peers: &[RemotePeer]) -> Vec<Receipt> {
        let payload = message.encode(0, self.shared.memory.spare());
        let send = |peer: &RemotePeer| Receipt {
            peer: peer.clone(),
            done: self.shared.send_now(peer, payload.clone()),
        };
        peers.iter().map(send).collect()
    }

    /// Like [`send`](Self::send), but calls `on_failure` for each peer whose message was not sent.
    ///
    /// `on_failure` receives the peer and the reason. It runs on a task of the layer, for one peer
    /// after another, so it must return quickly. If it panics, it is not called again.
    pub fn send_with_callback(
        &self,
        message: &Envelope,
        peers: &[RemotePeer],
        mut on_failure: impl FnMut(&RemotePeer, &CommError) + Send + 'static,
    ) {
        let receipts = self.send(message, peers).into_iter();
        let mut receipts: FuturesUnordered<_> = receipts
            .map(|receipt| async move { (receipt.peer().clone(), receipt.await) })
            .collect();
        self.shared.spawn(async move {
            while let Some((peer, delivery)) = receipts.next().await {
                let Some(error) = delivery.error() else {
                    continue;
                };
                let called = caught("a callback of a failed send", || on_failure(&peer, error));
                if called.is_none() {
                    return;
                }
            }
        });
    }

    /// Like [`send`](Self::send) to one peer, but waits for room in its queue.
    ///
    /// The call waits for at most `limit`. Several waiting calls are served in the order in which
    /// they were made.
    ///
    /// # Errors
    /// [`CommError::Deadline`] if there is no room in time; otherwise the reason why the peer
    /// cannot be reached. If a dial fails after the message was queued, the receipt reports it.
    ///
    /// # Cancel safety
    /// A dropped call has either queued the message or done nothing.
    pub async fn send_waiting(
        &self,
        message: &Envelope,
        peer: &RemotePeer,
        limit: Duration,
    ) -> Result<Receipt, CommError> {
        let (done, receipt) = oneshot::channel();
        let draft = Draft {
            code: DATA,
            payload: message.encode(0, self.shared.memory.spare()),
            ack: None,
            done: Some(done),
        };
        let now = Instant::now();
        self.shared.enqueue_waiting(peer, draft, now, limit).await?;
        Ok(Receipt {
            peer: peer.clone(),
            done: receipt,
        })
    }

    /// Sends a message to each of `peers`, and waits for acknowledgements.
    ///
    /// The call returns when `policy.min()` of the peers have acknowledged the message, when all
    /// have answered or failed, or at the deadline. Duplicate peers count once. The result contains
    /// the outcomes that are known when the call returns; at the deadline, there is one for each
    /// peer. After the layer has stopped, each peer fails with [`CommError::Stopped`]. Without
    /// peers the result is empty.
    ///
    /// # Errors
    /// [`CommError::TooManyAcks`] if there are peers, but fewer than `policy.min()`; then nothing
    /// is sent.
    ///
    /// # Cancel safety
    /// Messages that were queued before the call was dropped are still sent.
    pub async fn send_with_ack(
        &self,
        message: &Envelope,
        policy: AckPolicy,
        peers: &[RemotePeer],
    ) -> Result<AggregatedSendResult, CommError> {
        let mut total = AggregatedSendResult::wanted(policy);
        let peers = distinct(peers);
        if peers.is_empty() {
            return Ok(total);
        }
        if policy.min() > peers.len() {
            return Err(CommError::TooManyAcks {
                min: policy.min(),
                peers: peers.len(),
            });
        }
        let now = Instant::now();
        let number = self.shared.ack_number();
        let payload = message.encode(number, self.shared.memory.spare());
        let ask = |peer: RemotePeer| self.ask(peer, number, payload.clone(), policy, now);
        let mut answers: FuturesUnordered<_> = peers.into_iter().map(ask).collect();
        let mut acks = 0;
        while let Some(answer) = answers.next().await {
            acks += usize::from(answer.error.is_none());
            total.results.push(answer);
            if policy.min() > 0 && acks >= policy.min() {
                break;
            }
        }
        Ok(total)
    }

    async fn ask(
        &self,
        peer: RemotePeer,
        number: u64,
        payload: Bytes,
        policy: AckPolicy,
        now: Instant,
    ) -> SendResult {
        if policy.min() > 0 {
            self.shared.stats.awaited_acks.add(1);
        }
        let (waiter, answer) = oneshot::channel();
        let draft = Draft {
            code: DATA,
            payload,
            ack: Some((number, waiter)),
            done: None,
        };
        let round_trip = async {
            self.shared
                .enqueue_waiting(&peer, draft, now, policy.deadline())
                .await?;
            if policy.min() == 0 {
                return Ok(());
            }
            let lost = CommError::PeerClosed(ConnectionEnd::TransportEnded);
            answer.await.unwrap_or(Err(lost))
        };
        let limit = policy.deadline();
        let result = timeout_at(after(now, limit), round_trip)
            .await
            .unwrap_or(Err(CommError::Deadline { after: limit }));
        let error = result.err();
        if policy.min() > 0 {
            self.shared.stats.ack_ended(error.as_ref());
        }
        SendResult { peer, error }
    }

    /// Opens a connection to a peer without sending anything, or finds the existing one.
    ///
    /// Returns the identity at the other end. The connection stays until either side closes it.
    /// The dial and handshake timeouts limit the call.
    ///
    /// # Errors
    /// [`CommError::IdMismatch`] if an id was given but an identity of another organisation
    /// answers; the connection stays open. [`CommError::Handshake`] if the node proves no identity,
    /// [`CommError::NotSupported`] if it does not speak `comm/1`. [`CommError::Dial`] if the
    /// connection cannot be made, [`CommError::PeerClosed`] if it ends early,
    /// [`CommError::Deadline`] if a time limit expires. [`CommError::Full`] if too many dials are
    /// running, [`CommError::SelfDial`] if the peer is this node, [`CommError::Stopped`] if the
    /// layer has been stopped.
    ///
    /// # Cancel safety
    /// Dropping the call does not cancel an attempt that has begun.
    pub async fn connect(&self, peer: &RemotePeer) -> Result<Arc<ConnInfo>, CommError> {
        let limit = self.handshake_limit();
        let open = async {
            loop {
                let result = match self.shared.route(peer, Purpose::Open)? {
                    Route::Open(entry) => return Ok(Arc::clone(&entry.info)),
                    Route::Flight { result, .. } => result,
                };
                match landed(result).await? {
                    Landed::Open(info) if peer.id().is_none_or(|id| id == info.id) => {
                        return Ok(info);
                    }
                    // A connection is open, so the next iteration finds it, and checks whether its
                    // identity is acceptable.
                    Landed::Open(_) => {}
                    // The attempt had another purpose, and its connection does not stay open. Wait
                    // for its end, then try again.
                    Landed::Handshake(_) | Landed::Probe(_) => self.until_over(&peer.node()).await,
                }
            }
        };
        timeout(limit, open)
            .await
            .unwrap_or(Err(CommError::Deadline { after: limit }))
    }

    /// The time limit for two attempts in a row. Two are needed if the first is another call's
    /// probe or handshake.
    fn handshake_limit(&self) -> Duration {
        let config = &self.shared.config;
        let proof = config.handshake_timeout().saturating_mul(2);
        let attempt = config.dial_timeout().saturating_add(proof);
        attempt.saturating_mul(2)
    }

    /// Checks whether a node answers a Ping, and returns the round-trip time.
    ///
    /// The Ping uses the existing connection, or one that is made for it and closed afterwards. No
    /// identity is requested. A round-trip time measured less than a second ago is returned without
    /// a new Ping. The dial and probe timeouts limit the call.
    ///
    /// # Errors
    /// The errors of [`connect`](Self::connect), except `IdMismatch`, `Handshake` and
    /// `NotSupported`.
    ///
    /// # Cancel safety
    /// Dropping the call does not cancel an attempt that has begun.
    pub async fn probe(&self, peer: &RemotePeer) -> Result<Duration, CommError> {
        let to = peer.clone().anybody();
        let (dial, answer) = (
            self.shared.config.dial_timeout(),
            self.shared.config.probe_timeout(),
        );
        let limit = dial.saturating_add(answer.saturating_mul(2));
        let probe = async {
            loop {
                let result = match self.shared.route(&to, Purpose::Probe)? {
                    Route::Open(entry) => return self.ping(&entry.peer).await,
                    Route::Flight { result, .. } => result,
                };
                match landed(result).await? {
                    Landed::Probe(rtt) => return Ok(rtt),
                    Landed::Open(_) => {}
                    Landed::Handshake(_) => self.until_over(&to.node()).await,
                }
            }
        };
        timeout(limit, probe)
            .await
            .unwrap_or(Err(CommError::Deadline { after: limit }))
    }

    async fn ping(&self, peer: &Peer) -> Result<Duration, CommError> {
        let after = self.shared.config.probe_timeout();
        match timeout(after, peer.ping()).await {
            Ok(Some(rtt)) => Ok(rtt),
            Ok(None) => Err(CommError::PeerClosed(ConnectionEnd::TransportEnded)),
            Err(_) => Err(CommError::Deadline { after }),
        }
    }

    /// Finds out which identity answers at an endpoint.
    ///
    /// The call uses the existing connection, or makes one and closes it afterwards.
    ///
    /// # Errors
    /// [`CommError::IdMismatch`] if an id was given but another one answers, even of the same
    /// organisation; otherwise the errors of [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the call does not cancel an attempt that has begun.
    pub async fn handshake(&self, peer: &RemotePeer) -> Result<Arc<ConnInfo>, CommError> {
        let to = peer.clone().anybody();
        let limit = self.handshake_limit();
        let ask = async {
            loop {
                let result = match self.shared.route(&to, Purpose::Handshake)? {
                    Route::Open(entry) => return Ok(Arc::clone(&entry.info)),
                    Route::Flight { result, .. } => result,
                };
                match landed(result).await? {
                    Landed::Open(info) | Landed::Handshake(info) => return Ok(info),
                    Landed::Probe(_) => self.until_over(&to.node()).await,
                }
            }
        };
        let info = timeout(limit, ask)
            .await
            .unwrap_or(Err(CommError::Deadline { after: limit }))?;
        match peer.id() {
            Some(expected) if expected != info.id => Err(CommError::IdMismatch {
                expected,
                actual: info.id,
            }),
            _ => Ok(info),
        }
    }

    /// Waits until the transport of a finished attempt is gone.
    async fn until_over(&self, node: &NodeId) {
        let flight = self.shared.table().flight(node);
        if let Some((_, mut result)) = flight {
            while result.changed().await.is_ok() {}
        }
    }

    /// Receives the messages for which `predicate` holds, with the bounds of the configuration.
    ///
    /// The stream ends when the layer stops. Dropping it unsubscribes.
    pub fn accept(
        &self,
        predicate: impl Fn(&ReceivedMessage) -> bool + Send + Sync + 'static,
    ) -> Subscription<ReceivedMessage> {
        self.accept_with(self.shared.config.subscription(), predicate)
    }

    /// Like [`accept`](Self::accept), with its own bounds.
    pub fn accept_with(
        &self,
        config: SubscriptionConfig,
        predicate: impl Fn(&ReceivedMessage) -> bool + Send + Sync + 'static,
    ) -> Subscription<ReceivedMessage> {
        self.shared.demux.subscribe(config, predicate)
    }

    /// Reports ids whose connection was lost or could not be made.
    ///
    /// Each id is reported once until it is connected again. A reader that falls 1024 ids behind
    /// loses the oldest and receives the number of lost ids. The stream ends when the layer stops.
    #[must_use]
    pub fn presumed_dead(&self) -> EventStream<PeerId> {
        self.shared.dead.listen()
    }

    /// Reports the events of connections from now on, for logs and tests.
    ///
    /// A reader that falls 1024 events behind loses the oldest and receives the number of lost
    /// events. The stream ends when the layer stops.
    #[must_use]
    pub fn events(&self) -> EventStream<CommEvent> {
        self.shared.events.listen()
    }

    /// Closes the connection of an identity; returns false if there is none.
    ///
    /// Messages that wait for the connection fail.
    pub fn close_conn(&self, id: &PeerId) -> bool {
        self.shared.table().close_id(id, &ConnectionEnd::Requested)
    }

    /// Like [`close_conn`](Self::close_conn), for the node with the endpoint's key, at any address.
    ///
    /// Returns false if no identity of that node is connected.
    pub fn close_conn_at(&self, endpoint: &Enode) -> bool {
        let mut table = self.shared.table();
        let id = table
            .by_node(&endpoint.node_id())
            .map(|entry| entry.info.id);
        id.is_some_and(|id| table.close_id(&id, &ConnectionEnd::Requested))
    }

    /// How many identities are connected.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.shared.table().gauges().0
    }

    /// The connected identities, sorted by id.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<ConnInfo>> {
        let table = self.shared.table();
        let mut all: Vec<_> = table
            .entries()
            .map(|entry| Arc::clone(&entry.info))
            .collect();
        drop(table);
        all.sort_by_key(|info| info.id);
        all
    }

    /// A snapshot of the layer's counters.
    #[must_use]
    pub fn stats(&self) -> CommStats {
        let (connections, dials, waiting) = self.shared.table().gauges();
        CommStats {
            connections,
            dials,
            waiting,
            ..self.shared.stats.snapshot()
        }
    }

    /// Whether the layer has been stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.table().is_stopped()
    }

    /// Stops the layer: queued messages fail, connections close, and all streams end.
    ///
    /// New messages and connections are rejected. The call waits until the connections' tasks have
    /// ended, but at most for the stop timeout. If some tasks are still running after that time, it
    /// returns false; these tasks end when a time limit of their peer expires. A second call waits,
    /// too. Shutting down the server is up to the caller.
    pub async fn stop(&self) -> bool {
        self.shared.stop();
        let limit = self.shared.config.stop_timeout();
        timeout(limit, self.shared.tasks.wait()).await.is_ok()
    }
}

/// Waits for the result of an attempt.
async fn landed(mut result: watch::Receiver<FlightResult>) -> Result<Landed, CommError> {
    let lost = || CommError::PeerClosed(ConnectionEnd::TransportEnded);
    let settled = result.wait_for(Option::is_some).await;
    settled
        .map_err(|_| lost())?
        .clone()
        .unwrap_or_else(|| Err(lost()))
}

/// Returns the peers, without those whose node or identity occurred before in the list.
fn distinct(peers: &[RemotePeer]) -> Vec<RemotePeer> {
    let (mut nodes, mut ids) = (HashSet::new(), HashSet::new());
    peers
        .iter()
        .filter(|peer| nodes.insert(peer.node()) && peer.id().is_none_or(|id| ids.insert(id)))
        .cloned()
        .collect()
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comm")
            .field("id", &self.own)
            .field("connections", &self.connection_count())
            .finish_non_exhaustive()
    }
}

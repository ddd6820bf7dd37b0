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
use super::message::{DATA, MAX_IDENTITY};
use super::send_queue::Draft;
use super::shared::Shared;
use super::stats::CommStats;
use super::table::{FlightResult, Landed, Purpose, Route};
use super::{
    AckPolicy, AggregatedSendResult, CommError, CommEvent, ConnInfo, ConnectionEnd, Envelope,
    IdentityError, IdentityRecord, PeerId, Receipt, ReceivedMessage, RemotePeer, SendResult,
};
use crate::event_stream::EventStream;
use crate::guarded::caught;
use crate::node::{Enode, NodeId};
use crate::peer::Peer;
use crate::time::after;

/// Sends to identities, and receives from them. Cheap to clone; when the last clone is dropped,
/// the layer stops, without waiting for its connections to end.
///
/// It is used inside a tokio runtime. See the [module](super) for an example.
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

    /// The id of the own identity.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.own
    }

    /// Signs a message with the own identity, for messages that others pass on.
    ///
    /// # Errors
    /// [`IdentityError::Signing`].
    pub fn sign(&self, mut message: Envelope) -> Result<Envelope, IdentityError> {
        let provider = self.shared.provider.direct();
        message.signature = provider.sign(&message.signed_bytes())?;
        Ok(message)
    }

    /// Checks a message that was passed on: that `identity` is valid now, and signed it. Returns
    /// the author's id. Cancel safe.
    ///
    /// # Errors
    /// [`IdentityError::BadSignature`], or why the identity is not accepted.
    pub async fn verify(
        &self,
        identity: &[u8],
        message: &Envelope,
    ) -> Result<PeerId, IdentityError> {
        let (identity, message) = (Bytes::copy_from_slice(identity), message.clone());
        let now = self.shared.unix_now();
        let verified = self.shared.provider.ask(move |provider| {
            provider.verify(&identity, &message.signed_bytes(), &message.signature)?;
            IdentityRecord::examine(provider, &identity, now).map(|record| record.id)
        });
        verified.await.flatten()
    }

    /// The time since 1970 by which identities are judged; see
    /// [`Config::with_unix_time`](super::Config::with_unix_time).
    #[must_use]
    pub fn unix_time(&self) -> Duration {
        self.shared.unix_now()
    }

    /// The own identity itself.
    #[must_use]
    pub fn identity(&self) -> Bytes {
        self.shared.provider.direct().identity()
    }

    /// Sends a message to each of `peers`, connecting to those that are not connected. It never
    /// waits: a message that finds its queue full is dropped, which its receipt tells, as it tells
    /// any other end. Messages from one task to one peer keep their order.
    ///
    /// The receipts, one for each peer in order, need not be waited for.
    pub fn send(&self, message: &Envelope, peers: &[RemotePeer]) -> Vec<Receipt> {
        let payload = message.encode(0, self.shared.memory.spare());
        let send = |peer: &RemotePeer| Receipt {
            peer: peer.clone(),
            done: self.shared.send_now(peer, payload.clone()),
        };
        peers.iter().map(send).collect()
    }

    /// As [`send`](Self::send), for callers that only want to know what did not work: `on_failure` is
    /// called for each peer to which the message was not handed over, with the reason. It is called
    /// on a task of the layer, one call after the other, so it must answer at once; one that panics
    /// is not called again.
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

    /// As [`send`](Self::send) to one peer, waiting for room in its queue, for `limit` at most.
    /// Those who wait are served in order. Cancel safe: a dropped call has either queued the
    /// message or done nothing.
    ///
    /// # Errors
    /// [`CommError::Deadline`], or why the peer is not reached. A dial that fails after the
    /// message was queued is the receipt's matter.
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

    /// Sends a message to each of `peers`, and waits until `policy.min()` of them have acknowledged
    /// it, or all have answered or failed, or the deadline is over. Peers that are given twice
    /// count once. The result holds what is known by then; at the deadline that is one entry for
    /// each peer. After the layer stopped each peer fails with [`CommError::Stopped`].
    ///
    /// Cancel safe: messages that are queued by then are sent.
    ///
    /// # Errors
    /// [`CommError::TooManyAcks`] if more acknowledgements are asked for than there are peers;
    /// nothing is sent then.
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

    /// Opens a connection to a peer without sending anything, or finds the one that there is, and returns
    /// who is there. The connection stays until either side closes it. Bounded as the other
    /// ways to a peer are, by the dial and handshake timeouts. Cancel safe: an attempt that is under way
    /// goes on.
    ///
    /// # Errors
    /// [`CommError::IdMismatch`] if an id was given and one of another organisation answers: the
    /// connection stays all the same. [`CommError::Handshake`], [`CommError::NotSupported`],
    /// [`CommError::Dial`], [`CommError::Deadline`], [`CommError::Full`], [`CommError::SelfDial`],
    /// [`CommError::Stopped`].
    pub async fn connect(&self, peer: &RemotePeer) -> Result<Arc<ConnInfo>, CommError> {
        let limit = self.handshake_limit();
        let open = async {
            loop {
                let result = match self.shared.route(peer, Purpose::Open)? {
                    Route::Open(entry) => return Ok(Arc::clone(&entry.info)),
                    Route::Flight { result, .. } => result,
                };
                match landed(result).await? {
                    // Whether the identity is the expected one, the next turn finds out.
                    Landed::Open(info) if peer.id().is_none_or(|id| id == info.id) => {
                        return Ok(info);
                    }
                    Landed::Open(_) => {}
                    // An attempt that was only to find out who is there.
                    Landed::Handshake(_) | Landed::Probe(_) => self.until_over(&peer.node()).await,
                }
            }
        };
        timeout(limit, open)
            .await
            .unwrap_or(Err(CommError::Deadline { after: limit }))
    }

    /// How long two attempts to learn who is there may take, of which the first was begun for less.
    fn handshake_limit(&self) -> Duration {
        let config = &self.shared.config;
        let proof = config.handshake_timeout().saturating_mul(2);
        let attempt = config.dial_timeout().saturating_add(proof);
        attempt.saturating_mul(2)
    }

    /// Finds out whether a node answers: a round trip of a Ping over the connection that there is,
    /// or over one that is made for it and closed again. No identity is asked for. Returns the
    /// round trip; one of less than a second ago stands for a new one. Bounded by the dial and
    /// probe timeouts. Cancel safe.
    ///
    /// # Errors
    /// [`CommError::Dial`], [`CommError::Deadline`], [`CommError::Stopped`].
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

    /// Finds out who answers at an endpoint: the identity of the connection that there is, or of
    /// one that is made for it and closed again. Cancel safe.
    ///
    /// # Errors
    /// [`CommError::IdMismatch`] if an id was given and another one answers,
    /// [`CommError::Handshake`], [`CommError::Dial`], [`CommError::Deadline`],
    /// [`CommError::Stopped`].
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
    /// The stream ends when the layer stops; dropping it unsubscribes.
    pub fn accept(
        &self,
        predicate: impl Fn(&ReceivedMessage) -> bool + Send + Sync + 'static,
    ) -> Subscription<ReceivedMessage> {
        self.accept_with(self.shared.config.subscription(), predicate)
    }

    /// As [`accept`](Self::accept), with bounds of its own.
    pub fn accept_with(
        &self,
        config: SubscriptionConfig,
        predicate: impl Fn(&ReceivedMessage) -> bool + Send + Sync + 'static,
    ) -> Subscription<ReceivedMessage> {
        self.shared.demux.subscribe(config, predicate)
    }

    /// The ids whose connection ended by itself, or could not be made; each once until it is
    /// connected again. A reader that falls 1024 ids behind loses the oldest and is told how many.
    /// The stream ends when the layer stops.
    #[must_use]
    pub fn presumed_dead(&self) -> EventStream<PeerId> {
        self.shared.dead.listen()
    }

    /// The ids that have given way to another identity of their organisation, or whose identity is
    /// over. A reader that falls 1024 ids behind loses the oldest and is told how many. The stream
    /// ends when the layer stops.
    #[must_use]
    pub fn identity_switch(&self) -> EventStream<PeerId> {
        self.shared.switched.listen()
    }

    /// What happens to connections from now on, for logs and tests. A subscriber that is too slow
    /// loses the oldest events and is told how many. The stream ends when the layer stops.
    #[must_use]
    pub fn events(&self) -> EventStream<CommEvent> {
        self.shared.events.listen()
    }

    /// Closes the connection of an identity; what waits for it fails. False if there is none.
    pub fn close_conn(&self, id: &PeerId) -> bool {
        self.shared.table().close_id(id, &ConnectionEnd::Requested)
    }

    /// As [`close_conn`](Self::close_conn), by endpoint: closes the connection of the node with its key,
    /// at any address. False if no identity of that node is connected.
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

    /// The connected identities, by id.
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

    /// The identities that are remembered, the own one among them, by id.
    #[must_use]
    pub fn identities(&self) -> Vec<IdentityRecord> {
        self.shared.table().identities.list()
    }

    /// Takes in an identity that was learned elsewhere, such as from a message that others pass on or
    /// from a file, as those are that a connection has proven: the provider examines it, it counts in the
    /// [bound](super::IdentityLimits) of remembered identities, it is examined again from time to time, and
    /// [`identity_switch`](Self::identity_switch) reports its end. That somebody holds it is not
    /// proven by this. Cancel safe: a dropped call may have taken it in or not.
    ///
    /// # Errors
    /// [`IdentityError`] if it is not valid now, or longer than 16 KiB, which no connection could prove.
    pub async fn learn_identity(&self, identity: &[u8]) -> Result<IdentityRecord, IdentityError> {
        if identity.len() > MAX_IDENTITY {
            let size = identity.len();
            let text = format!("it has {size} bytes, at most {MAX_IDENTITY} are allowed");
            return Err(IdentityError::Malformed(text));
        }
        let (identity, now) = (Bytes::copy_from_slice(identity), self.shared.unix_now());
        let examined = self
            .shared
            .provider
            .ask(move |provider| IdentityRecord::examine(provider, &identity, now));
        let record = examined.await.flatten()?;
        self.shared.table().identities.put(record.clone(), now);
        self.shared.identities_changed.notify_one();
        Ok(record)
    }

    /// What the layer has done so far.
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

    /// Stops the layer: nothing is taken on any more, queued messages fail, connections close, all
    /// streams end. Waits for the connections' tasks, for the stop timeout at most; false if some
    /// are left then, which their peers' own limits end. A second call waits likewise. The server
    /// is the caller's to shut down.
    pub async fn stop(&self) -> bool {
        self.shared.stop();
        let limit = self.shared.config.stop_timeout();
        timeout(limit, self.shared.tasks.wait()).await.is_ok()
    }
}

/// How an attempt ended.
async fn landed(mut result: watch::Receiver<FlightResult>) -> Result<Landed, CommError> {
    let lost = || CommError::PeerClosed(ConnectionEnd::TransportEnded);
    let settled = result.wait_for(Option::is_some).await;
    settled
        .map_err(|_| lost())?
        .clone()
        .unwrap_or_else(|| Err(lost()))
}

/// The peers without those that name a node or an identity a second time.
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

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use peermux::peer::ProtocolInfo;
use peermux::requests::{BeforeRequests, RequestConn, RequestError, Requests};
use peermux::{NodeId, Peer, Protocol, ProtocolConn, ProtocolError, ProtocolLimits, ServerBuilder};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

use super::event::{Announced, Event};
use super::peers::Peers;
use super::v68::Eth68;
use super::v69::Eth69;
use super::v70::Eth70;
use super::version::{AllRequests, Version, announced};
use super::{
    Chain, HandshakeError, Head, Header, HeadersError, HeadersQuery, MAX_MESSAGE, NAME, Status,
};
use crate::mutex::Mutex;

/// A node's `eth`, in all supported versions.
///
/// [Register](Self::register) it with a server, and keep a clone to send requests to peers. Cheap
/// to clone.
#[derive(Clone)]
pub struct Eth {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    chain: Mutex<Chain>,
    versions: RangeInclusive<u64>,
    handshake_timeout: Duration,
    requests: AllRequests,
    peers: Peers,
    events: mpsc::Sender<Event>,
}

impl Shared {
    pub(super) fn new(
        chain: Chain,
        versions: RangeInclusive<u64>,
        handshake_timeout: Duration,
        requests: AllRequests,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            chain: Mutex::new(chain),
            versions,
            handshake_timeout,
            requests,
            peers: Peers::default(),
            events,
        }
    }
}

impl Eth {
    pub(super) fn of(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { shared }
    }

    /// Registers all supported versions with a server.
    pub fn register<D, L>(&self, server: ServerBuilder<D, L>) -> ServerBuilder<D, L> {
        server.protocols(self.protocols())
    }

    /// Returns one protocol per supported version, to register together.
    #[must_use]
    pub fn protocols(&self) -> Vec<Protocol> {
        let all = [
            (Eth68::VERSION, Self::protocol::<Eth68> as fn(&Self) -> _),
            (Eth69::VERSION, Self::protocol::<Eth69>),
            (Eth70::VERSION, Self::protocol::<Eth70>),
        ];
        let spoken = all.into_iter();
        let spoken = spoken.filter(|(version, _)| self.shared.versions.contains(version));
        spoken.map(|(_, protocol)| protocol(self)).collect()
    }

    fn protocol<V: Version>(&self) -> Protocol {
        let (node, peers, eth) = (self.clone(), self.clone(), self.clone());
        let limits = ProtocolLimits::default().with_max_message(MAX_MESSAGE);
        let definition = Protocol::typed::<V>(NAME, V::VERSION)
            .limits(limits)
            .node_info(move || info(&node.chain().status(V::VERSION)))
            .peer_info(move |id| peers.status(&id).as_ref().map(info));
        V::requests(&self.shared.requests).protocol_with(definition, move |peer, before| {
            let eth = eth.clone();
            async move { eth.run::<V>(peer, before).await }
        })
    }

    /// Requests headers from a peer and checks that they match the query.
    ///
    /// The peer may have only some of them, or none. Waits while the peer's protocol starts.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the call abandons the request.
    ///
    /// # Errors
    /// [`HeadersError`] if the request fails or the response does not match the query.
    pub async fn headers(
        &self,
        peer: &NodeId,
        query: HeadersQuery,
    ) -> Result<Vec<Header>, HeadersError> {
        // A peer runs one version. The requests of the other versions report that it is not
        // connected.
        let mut answer = self.ask::<Eth70>(peer, query).await;
        if let Err(RequestError::NotConnected { .. }) = answer {
            answer = self.ask::<Eth69>(peer, query).await;
        }
        if let Err(RequestError::NotConnected { .. }) = answer {
            answer = self.ask::<Eth68>(peer, query).await;
        }
        let headers = answer?;
        let not_asked = |rule| HeadersError::NotAsked { peer: *peer, rule };
        query.check(&headers).map_err(not_asked)?;
        Ok(headers)
    }

    async fn ask<V: Version>(
        &self,
        peer: &NodeId,
        query: HeadersQuery,
    ) -> Result<Vec<Header>, RequestError> {
        let requests = V::requests(&self.shared.requests);
        let response = requests.request(peer, V::get_headers(query)).await?;
        Ok(V::headers(response))
    }

    /// Returns the handle for `eth/68` requests, e.g. for bodies, receipts and transactions.
    #[must_use]
    pub fn requests68(&self) -> &Requests<Eth68> {
        &self.shared.requests.requests68
    }

    /// Returns the handle for `eth/69` requests.
    #[must_use]
    pub fn requests69(&self) -> &Requests<Eth69> {
        &self.shared.requests.requests69
    }

    /// Returns the handle for `eth/70` requests.
    #[must_use]
    pub fn requests70(&self) -> &Requests<Eth70> {
        &self.shared.requests.requests70
    }

    /// Returns the peers that have joined.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.shared.peers.all()
    }

    /// Returns the Status of a peer that has joined.
    #[must_use]
    pub fn status(&self, peer: &NodeId) -> Option<Status> {
        self.shared.peers.status(peer)
    }

    /// Returns the chain that new peers are compared with.
    #[must_use]
    pub fn chain(&self) -> Chain {
        self.shared.chain.lock().clone()
    }

    /// Sets the newest block, for handshakes with future peers.
    ///
    /// Send connected peers a `BlockRangeUpdate` through
    /// [`Server::broadcast`](peermux::Server::broadcast). If the node's record contains its fork
    /// identifier, publish the [new one](super::ForkId::record_entry).
    pub fn set_head(&self, head: Head) {
        self.shared.chain.lock().head = head;
    }

    async fn run<V: Version>(
        &self,
        peer: Peer,
        mut before: BeforeRequests<V>,
    ) -> Result<(), ProtocolError> {
        let Some(status) = self.shake_hands(&peer, before.conn()).await? else {
            return Ok(());
        };
        let _joined = self.shared.peers.enter(&peer, status);
        let conn = before.ready();
        self.tell(Event::Joined {
            peer: peer.clone(),
            status,
        })
        .await;
        let result = self.listen(&peer, conn).await;
        self.tell(Event::Left { peer }).await;
        result
    }

    /// Exchanges Status with a peer. Returns `None` if the connection ends first.
    async fn shake_hands<V: Version>(
        &self,
        peer: &Peer,
        conn: &mut ProtocolConn<V>,
    ) -> Result<Option<Status>, ProtocolError> {
        let chain = self.chain();
        let limit = self.shared.handshake_timeout;
        let exchanged = timeout(limit, exchange(conn, &chain.status(V::VERSION))).await;
        let (status, error) = match exchanged {
            Err(_) => (None, HandshakeError::TimedOut(limit)),
            Ok(first) => match first? {
                First::Status(status) => match chain.check(V::VERSION, &status) {
                    Ok(()) => return Ok(Some(status)),
                    Err(error) => (Some(status), error),
                },
                First::Other(code) => (None, HandshakeError::NoStatus { code }),
                First::End => return Ok(None),
            },
        };
        debug!(peer = %peer.id(), %error, "eth peer refused");
        let refused = Event::Refused {
            peer: peer.clone(),
            status,
            error,
        };
        // The timeout ensures that a refused peer does not stay connected if the application does
        // not read its events.
        let _ = timeout(limit, self.tell(refused)).await;
        Err(ProtocolError::other(error))
    }

    /// Reports a peer's announcements until the connection ends. Meanwhile `conn` answers the
    /// peer's requests.
    async fn listen<V: Version>(
        &self,
        peer: &Peer,
        mut conn: RequestConn<V>,
    ) -> Result<(), ProtocolError> {
        while let Some(message) = conn.recv().await? {
            let (announcement, room) = announced(message)?;
            self.tell(Event::Announced(Announced {
                peer: peer.clone(),
                announcement,
                _room: room,
            }))
            .await;
        }
        Ok(())
    }

    async fn tell(&self, event: Event) {
        // The application may have dropped the events.
        let _ = self.shared.events.send(event).await;
    }
}

/// The first message of a peer.
enum First {
    Status(Status),
    /// Another message, with this code.
    Other(u64),
    /// The connection ends.
    End,
}

async fn exchange<V: Version>(
    conn: &mut ProtocolConn<V>,
    ours: &Status,
) -> Result<First, ProtocolError> {
    conn.send(&V::from_status(ours)).await?;
    let first = conn.recv().await?;
    Ok(first.map_or(First::End, |message| match message.status() {
        Some(status) => First::Status(status),
        None => First::Other(message.code()),
    }))
}

fn info(status: &Status) -> ProtocolInfo {
    let mut fields = vec![
        ("version", status.version.to_string()),
        ("network", status.network.to_string()),
        ("genesis", status.genesis.to_string()),
        ("fork_id", status.fork_id.to_string()),
        ("head", status.head.to_string()),
    ];
    if let Some((earliest, latest)) = status.blocks {
        fields.push(("earliest", earliest.to_string()));
        fields.push(("latest", latest.to_string()));
    }
    ProtocolInfo::fields(fields)
}

impl fmt::Debug for Eth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Eth");
        out.field("chain", &*self.shared.chain.lock());
        out.field("peers", &self.shared.peers.all().len());
        out.finish_non_exhaustive()
    }
}

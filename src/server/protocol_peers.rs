//! Watches the peers that speak a protocol.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt};

use super::Server;
use super::checks::PeerSet;
use crate::event_stream::EventStream;
use crate::node::NodeId;
use crate::peer::{Peer, PeerEvent};

/// A change of the peers that speak a protocol.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PeerChange {
    /// A peer is connected and the protocol runs with it.
    Came(Peer),
    /// A peer has disconnected; its [`outcome`](Peer::outcome) contains the reason.
    Went(Peer),
}

/// Reports the current peers that speak a protocol, and then each change.
///
/// Created by [`Server::watch_peers_with`]. A reader that was too slow to get every event gets the
/// changes from the peers that it knows to those now connected. So it misses only peers that
/// connected and disconnected in the meantime.
///
/// As a [`Stream`], this yields the results of [`recv`](Self::recv).
pub struct ProtocolPeers {
    protocol: String,
    peers: PeerSet,
    events: EventStream<PeerEvent>,
    known: HashMap<NodeId, Peer>,
    changes: VecDeque<PeerChange>,
    /// The next change, if its peer's protocol does not run yet.
    starting: Option<Starting>,
}

type Starting = Pin<Box<dyn Future<Output = PeerChange> + Send + Sync>>;

impl Server {
    /// Watches the peers that speak a protocol with this name, beginning with the current ones.
    #[must_use]
    pub fn watch_peers_with(&self, protocol: &str) -> ProtocolPeers {
        // The subscription precedes the first look at the peers, so that no change is missed.
        let events = self.subscribe();
        let mut watch = ProtocolPeers {
            protocol: protocol.to_owned(),
            peers: self.peer_set(),
            events,
            known: HashMap::new(),
            changes: VecDeque::new(),
            starting: None,
        };
        watch.compare();
        watch
    }
}

impl ProtocolPeers {
    /// Returns the next change, or `None` when the server is gone.
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<PeerChange> {
        self.next().await
    }

    /// Queues the changes from the known peers to those connected now.
    fn compare(&mut self) {
        let there = self.peers.snapshot();
        let is_there = |known: &Peer| there.iter().any(|peer| peer.is_same(known));
        let gone: Vec<_> = self
            .known
            .values()
            .filter(|known| !is_there(known))
            .cloned()
            .collect();
        for peer in gone {
            self.went(&peer);
        }
        for peer in there {
            self.came(peer);
        }
    }

    fn came(&mut self, peer: Peer) {
        let known = self.known.get(&peer.id());
        if !peer.speaks(&self.protocol) || known.is_some_and(|known| known.is_same(&peer)) {
            return;
        }
        if let Some(before) = self.known.insert(peer.id(), peer.clone()) {
            self.changes.push_back(PeerChange::Went(before));
        }
        self.changes.push_back(PeerChange::Came(peer));
    }

    fn went(&mut self, peer: &Peer) {
        let known = self.known.get(&peer.id());
        if known.is_some_and(|known| known.is_same(peer)) {
            self.known.remove(&peer.id());
            self.changes.push_back(PeerChange::Went(peer.clone()));
        }
    }
}

impl Stream for ProtocolPeers {
    type Item = PeerChange;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerChange>> {
        loop {
            if let Some(starting) = &mut self.starting {
                let change = ready!(starting.as_mut().poll(cx));
                self.starting = None;
                return Poll::Ready(Some(change));
            }
            match self.changes.pop_front() {
                // This waits until the protocol runs, so that the reader can use the protocol at
                // once.
                Some(PeerChange::Came(peer)) => {
                    self.starting = Some(Box::pin(async move {
                        peer.running().await;
                        PeerChange::Came(peer)
                    }));
                    continue;
                }
                Some(change) => return Poll::Ready(Some(change)),
                None => {}
            }
            match ready!(self.events.poll_next_unpin(cx)) {
                Some(Ok(PeerEvent::Added { peer })) => self.came(peer),
                Some(Ok(PeerEvent::Dropped { peer, .. })) => self.went(&peer),
                Some(Ok(_)) => {}
                Some(Err(_)) => self.compare(),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for ProtocolPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolPeers")
            .field("protocol", &self.protocol)
            .field("known", &self.known.len())
            .finish_non_exhaustive()
    }
}

use std::sync::Arc;

use tokio::time::Instant;

use super::{Peer, PeerOutcome};
use crate::channel::{Observer, Traffic};
use crate::event_stream::{EventFeed, EventStream};
use crate::node::NodeId;
use crate::p2p::SharedCapability;

/// Something that happened to a peer.
///
/// With the feature `serde` an event serialises to one JSON object, e.g.
/// `{"event":"message_sent","node_id":"0007…","protocol":"foo","code":3,"size":5,…}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A peer is connected; its protocols are about to start.
    Added {
        /// The new peer.
        peer: Peer,
    },
    /// A peer has disconnected and is no longer in the peer set.
    ///
    /// The peer's [recording](Peer::recording) contains the last traffic of the connection.
    Dropped {
        /// The disconnected peer.
        peer: Peer,
        /// How the connection ended.
        outcome: Arc<PeerOutcome>,
    },
    /// A message was handed to the socket. Emitted only if message events are on.
    MessageSent(MessageEvent),
    /// A protocol received a message. Emitted only if message events are on.
    MessageReceived(MessageEvent),
}

/// One message of one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// The remote node.
    pub peer: NodeId,
    /// The protocol's name.
    pub protocol: Arc<str>,
    /// The message's code, relative to the protocol.
    pub code: u64,
    /// The uncompressed payload's size in bytes.
    pub size: usize,
    /// When the message was handed to the socket, or when its last byte was read.
    ///
    /// The time is not part of the JSON, since it means nothing to another process.
    pub at: Instant,
    /// The local address of the connection, if it has one.
    pub local: Option<std::net::SocketAddr>,
    /// The remote address of the connection, if it has one.
    pub remote: Option<std::net::SocketAddr>,
}

/// A bounded feed of peer events that never blocks a peer.
///
/// A subscriber that reads too slowly loses the oldest events, and its stream reports how many.
#[derive(Debug, Clone)]
pub struct PeerEvents {
    feed: EventFeed<PeerEvent>,
    messages: bool,
}

impl PeerEvents {
    /// Creates a feed that keeps up to `capacity` events for the slowest subscriber.
    ///
    /// The capacity is at least 1 and at most 65,536. If `messages` is set, the feed also emits an
    /// event for each message.
    #[must_use]
    pub fn new(capacity: usize, messages: bool) -> Self {
        Self {
            feed: EventFeed::new(capacity),
            messages,
        }
    }

    /// Subscribes to all events from now on.
    #[must_use]
    pub fn subscribe(&self) -> EventStream<PeerEvent> {
        self.feed.subscribe()
    }

    /// Returns a function that emits an event for each message, if message events are on.
    pub(crate) fn observer(&self, shared: &SharedCapability, peer: &Peer) -> Option<Box<Observer>> {
        let events = self.messages.then(|| self.clone())?;
        let (protocol, peer) = (shared.capability.shared_name(), peer.clone());
        Some(Box::new(move |traffic, code, size, at| {
            let event = MessageEvent {
                peer: peer.id(),
                protocol: Arc::clone(&protocol),
                code,
                size,
                at,
                local: peer.local_addr(),
                remote: peer.remote_addr(),
            };
            events.emit(match traffic {
                Traffic::Sent => PeerEvent::MessageSent(event),
                Traffic::Received => PeerEvent::MessageReceived(event),
            });
        }))
    }

    pub(crate) fn emit(&self, event: PeerEvent) {
        self.feed.emit(event);
    }
}

#[cfg(feature = "serde")]
mod json {
    use serde::ser::{Serialize, SerializeMap, Serializer};

    use super::{MessageEvent, PeerEvent};
    use crate::peer::{CapabilityInfo, Peer};
    use crate::setup::FailureInfo;
    use crate::time::millis;

    impl Serialize for PeerEvent {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            match self {
                Self::Added { peer } => about(&mut map, "peer_add", peer)?,
                Self::Dropped { peer, outcome } => {
                    about(&mut map, "peer_drop", peer)?;
                    map.serialize_entry("cause", outcome.error.cause())?;
                    map.serialize_entry("reason", &outcome.error.reason())?;
                    map.serialize_entry("requested_by", outcome.error.requested_by())?;
                    map.serialize_entry("connected_ms", &millis(outcome.lifetime))?;
                    map.serialize_entry("error", &FailureInfo::from(&outcome.error))?;
                    let recorded = peer.recording_at(Some(outcome.as_ref())).len();
                    map.serialize_entry("recorded", &recorded)?;
                }
                Self::MessageSent(event) => message(&mut map, "message_sent", event)?,
                Self::MessageReceived(event) => message(&mut map, "message_received", event)?,
            }
            map.end()
        }
    }

    fn about<M: SerializeMap>(map: &mut M, kind: &str, peer: &Peer) -> Result<(), M::Error> {
        let shared = peer.shared_capabilities().iter();
        let capabilities: Vec<CapabilityInfo> = shared.map(Into::into).collect();
        map.serialize_entry("event", kind)?;
        map.serialize_entry("node_id", &peer.id())?;
        map.serialize_entry("addr", &peer.remote_addr())?;
        map.serialize_entry("local_addr", &peer.local_addr())?;
        map.serialize_entry("direction", &peer.direction())?;
        map.serialize_entry("client", &peer.hello().client_text())?;
        map.serialize_entry("capabilities", &capabilities)
    }

    fn message<M: SerializeMap>(
        map: &mut M,
        kind: &str,
        event: &MessageEvent,
    ) -> Result<(), M::Error> {
        map.serialize_entry("event", kind)?;
        map.serialize_entry("node_id", &event.peer)?;
        map.serialize_entry("protocol", &*event.protocol)?;
        map.serialize_entry("code", &event.code)?;
        map.serialize_entry("size", &event.size)?;
        map.serialize_entry("addr", &event.remote)?;
        map.serialize_entry("local_addr", &event.local)
    }
}

use std::sync::Arc;

use super::{Peer, PeerOutcome};
use crate::channel::{Observer, Traffic};
use crate::event_stream::{EventFeed, EventStream};
use crate::node::NodeId;
use crate::p2p::SharedCapability;

/// Something that happened to a peer.
///
/// With the feature `serde` an event serialises to one JSON object, e.g.
/// `{"type":"msgsend","peer":"0007…","protocol":"foo","msg_code":3,"msg_size":5,…}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A peer is connected; its protocols are about to start.
    Added {
        /// The new peer.
        peer: Peer,
    },
    /// A peer has ended and is no longer in the peer set.
    Dropped {
        /// The peer that ended.
        peer: Peer,
        /// How it ended.
        outcome: Arc<PeerOutcome>,
    },
    /// A message was handed to the socket. Only with message events switched on.
    MessageSent(MessageEvent),
    /// A protocol received a message. Only with message events switched on.
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
    /// The own address of the connection, if it has one.
    pub local: Option<std::net::SocketAddr>,
    /// The remote address of the connection, if it has one.
    pub remote: Option<std::net::SocketAddr>,
}

/// A feed of events, bounded: a subscriber that is too slow loses the oldest ones and is told how
/// many; it never holds a peer up.
#[derive(Debug, Clone)]
pub struct PeerEvents {
    feed: EventFeed<PeerEvent>,
    messages: bool,
}

impl PeerEvents {
    /// A feed that keeps up to `capacity` events for the slowest subscriber, at least 1 and at most
    /// 65,536. With `messages` it tells each message as well.
    #[must_use]
    pub fn new(capacity: usize, messages: bool) -> Self {
        Self {
            feed: EventFeed::new(capacity),
            messages,
        }
    }

    /// Receives all events from now on.
    #[must_use]
    pub fn subscribe(&self) -> EventStream<PeerEvent> {
        self.feed.subscribe()
    }

    /// What emits an event for each message of one protocol, if messages are wanted.
    pub(crate) fn observer(&self, shared: &SharedCapability, peer: &Peer) -> Option<Box<Observer>> {
        let events = self.messages.then(|| self.clone())?;
        let (protocol, peer) = (shared.capability.shared_name(), peer.clone());
        Some(Box::new(move |traffic, code, size| {
            let event = MessageEvent {
                peer: peer.id(),
                protocol: Arc::clone(&protocol),
                code,
                size,
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

    impl Serialize for PeerEvent {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            match self {
                Self::Added { peer } => {
                    map.serialize_entry("type", "add")?;
                    map.serialize_entry("peer", &peer.id())?;
                    addresses(&mut map, peer.local_addr(), peer.remote_addr())?;
                }
                Self::Dropped { peer, outcome } => {
                    map.serialize_entry("type", "drop")?;
                    map.serialize_entry("peer", &peer.id())?;
                    map.serialize_entry("error", &outcome.error.to_string())?;
                    addresses(&mut map, peer.local_addr(), peer.remote_addr())?;
                }
                Self::MessageSent(event) => message(&mut map, "msgsend", event)?,
                Self::MessageReceived(event) => message(&mut map, "msgrecv", event)?,
            }
            map.end()
        }
    }

    fn message<M: SerializeMap>(
        map: &mut M,
        kind: &str,
        event: &MessageEvent,
    ) -> Result<(), M::Error> {
        map.serialize_entry("type", kind)?;
        map.serialize_entry("peer", &event.peer)?;
        map.serialize_entry("protocol", &*event.protocol)?;
        map.serialize_entry("msg_code", &event.code)?;
        map.serialize_entry("msg_size", &event.size)?;
        addresses(map, event.local, event.remote)
    }

    fn addresses<M: SerializeMap>(
        map: &mut M,
        local: Option<std::net::SocketAddr>,
        remote: Option<std::net::SocketAddr>,
    ) -> Result<(), M::Error> {
        if let Some(local) = local {
            map.serialize_entry("local", &local)?;
        }
        if let Some(remote) = remote {
            map.serialize_entry("remote", &remote)?;
        }
        Ok(())
    }
}

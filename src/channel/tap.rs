use std::fmt;
use std::sync::Arc;

use super::Peer;
use super::events::{MessageEvent, PeerEvent, PeerEvents};
use super::meters::MessageMeters;
use crate::p2p::Capability;

/// Where one protocol's messages on one connection are counted and told.
#[derive(Clone)]
pub(crate) struct MessageTap(Option<Arc<Tap>>);

struct Tap {
    meters: MessageMeters,
    events: Option<PeerEvents>,
    protocol: Arc<str>,
    peer: Peer,
}

impl MessageTap {
    /// One that tells nobody.
    pub(crate) fn silent() -> Self {
        Self(None)
    }

    pub(crate) fn new(capability: &Capability, events: Option<&PeerEvents>, peer: &Peer) -> Self {
        Self(Some(Arc::new(Tap {
            meters: MessageMeters::new(capability),
            events: events.filter(|events| events.wants_messages()).cloned(),
            protocol: capability.shared_name(),
            peer: peer.clone(),
        })))
    }

    /// A message was handed to the socket.
    pub(crate) fn sent(&self, code: u64, size: usize) {
        if let Some(tap) = &self.0 {
            tap.meters.sent(size);
            tap.tell(code, size, PeerEvent::MessageSent);
        }
    }

    /// A received message was dropped because its queue was full.
    pub(crate) fn dropped(&self) {
        if let Some(tap) = &self.0 {
            tap.meters.dropped();
        }
    }

    /// A handler received a message.
    pub(crate) fn received(&self, code: u64, size: usize) {
        if let Some(tap) = &self.0 {
            tap.meters.received(size);
            tap.tell(code, size, PeerEvent::MessageReceived);
        }
    }
}

impl Tap {
    fn tell(&self, code: u64, size: usize, event: fn(MessageEvent) -> PeerEvent) {
        if let Some(events) = &self.events {
            events.emit(event(MessageEvent {
                peer: self.peer.id(),
                protocol: Arc::clone(&self.protocol),
                code,
                size,
                local: self.peer.local_addr(),
                remote: self.peer.remote_addr(),
            }));
        }
    }
}

impl fmt::Debug for MessageTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageTap")
    }
}

use std::fmt;
use std::sync::Arc;

use super::meters::MessageMeters;
use crate::p2p::Capability;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// It was handed to the socket.
    Sent,
    /// A handler received it.
    Received,
}

/// Called for each message of one protocol on one connection, with its code, relative to the
/// protocol, and its payload's size in bytes.
pub(crate) type Observer = dyn Fn(Traffic, u64, usize) + Send + Sync;

/// Counts one protocol's messages on one connection, and reports them to an observer.
#[derive(Clone)]
pub(crate) struct MessageTap(Option<Arc<Tap>>);

struct Tap {
    meters: MessageMeters,
    observer: Option<Box<Observer>>,
}

impl MessageTap {
    /// One that counts nothing.
    pub(crate) fn silent() -> Self {
        Self(None)
    }

    pub(crate) fn new(capability: &Capability, observer: Option<Box<Observer>>) -> Self {
        Self(Some(Arc::new(Tap {
            meters: MessageMeters::new(capability),
            observer,
        })))
    }

    /// A message was handed to the socket.
    pub(crate) fn sent(&self, code: u64, size: usize) {
        if let Some(tap) = &self.0 {
            tap.meters.sent(size);
            tap.observe(Traffic::Sent, code, size);
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
            tap.observe(Traffic::Received, code, size);
        }
    }
}

impl Tap {
    fn observe(&self, traffic: Traffic, code: u64, size: usize) {
        if let Some(observer) = &self.observer {
            observer(traffic, code, size);
        }
    }
}

impl fmt::Debug for MessageTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageTap")
    }
}

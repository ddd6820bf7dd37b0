//! The metrics of messages.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::table::{
    GATE_WAIT, MESSAGE_BYTES, MESSAGES, MESSAGES_DROPPED, QUEUE_TIME, READ_PAUSES,
};
use crate::metrics::{Counter, Histogram, NodeLabel, SharedString};
use crate::mutex::Mutex;
use crate::p2p::Capability;

/// Counts peers and their messages, with the feature `metrics`.
///
/// Clones share the counters, and so do all peers of a node.
#[derive(Clone, Default)]
pub struct Meters(Arc<Shared>);

#[derive(Default)]
struct Shared {
    node: NodeLabel,
    /// The counters of each registered protocol.
    protocols: Mutex<BTreeMap<Capability, Arc<MessageMeters>>>,
}

impl Meters {
    /// Creates counters whose label `node` has this value, to distinguish nodes of one process.
    pub fn labelled(value: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Shared {
            node: NodeLabel::new(Some(&value.into())),
            protocols: Mutex::default(),
        }))
    }

    pub(crate) fn node(&self) -> &NodeLabel {
        &self.0.node
    }

    /// Returns the counters of one of this node's protocols, creating them on the first call.
    pub(crate) fn of_protocol(&self, capability: &Capability) -> Arc<MessageMeters> {
        let mut protocols = self.0.protocols.lock();
        if let Some(meters) = protocols.get(capability) {
            return Arc::clone(meters);
        }
        let meters = Arc::new(MessageMeters::new(&self.0.node, capability));
        protocols.insert(capability.clone(), Arc::clone(&meters));
        meters
    }

    /// Records a pause of reading.
    ///
    /// `protocol` is `None` if reading paused because there was no memory for a message that was
    /// still arriving.
    pub(crate) fn read_paused(
        &self,
        protocol: Option<&Capability>,
        cause: &'static str,
        paused: Duration,
    ) {
        let protocol = protocol.map(ToString::to_string).unwrap_or_default();
        let labels = [SharedString::from(protocol), cause.into()];
        READ_PAUSES.of(&self.0.node, labels).record(paused);
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meters").field(&self.0.node).finish()
    }
}

/// One protocol's counters.
pub(crate) struct MessageMeters {
    sent: Counter,
    sent_bytes: Counter,
    received: Counter,
    received_bytes: Counter,
    dropped: Counter,
    queue_time: Histogram,
    gate_wait: Histogram,
}

impl MessageMeters {
    fn new(node: &NodeLabel, capability: &Capability) -> Self {
        let protocol = || SharedString::from(capability.to_string());
        Self {
            sent: MESSAGES.of(node, [protocol(), "egress".into()]),
            sent_bytes: MESSAGE_BYTES.of(node, [protocol(), "egress".into()]),
            received: MESSAGES.of(node, [protocol(), "ingress".into()]),
            received_bytes: MESSAGE_BYTES.of(node, [protocol(), "ingress".into()]),
            dropped: MESSAGES_DROPPED.of(node, [protocol()]),
            queue_time: QUEUE_TIME.of(node, [protocol()]),
            gate_wait: GATE_WAIT.of(node, [protocol()]),
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.increment(1);
        self.sent_bytes.increment(bytes as u64);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.increment(1);
        self.received_bytes.increment(bytes as u64);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.increment(1);
    }

    /// Records how long a received message waited for its handler.
    pub(crate) fn queued_for(&self, time: Duration) {
        self.queue_time.record(time);
    }

    /// Records how long a message waited at the write gate.
    pub(crate) fn gate_waited_for(&self, time: Duration) {
        self.gate_wait.record(time);
    }
}

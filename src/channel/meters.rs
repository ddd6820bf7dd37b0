//! What is counted of messages.

use std::time::Duration;

use crate::metrics::table::{
    GATE_WAIT, MESSAGE_BYTES, MESSAGES, MESSAGES_DROPPED, QUEUE_TIME, READ_PAUSES,
};
use crate::metrics::{Counter, Histogram, NodeLabel, SharedString};
use crate::p2p::Capability;

/// One protocol's counters; the handles are made once a connection.
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
    pub(crate) fn new(node: &NodeLabel, capability: &Capability) -> Self {
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

    /// A received message waited for its handler.
    pub(crate) fn queued_for(&self, time: Duration) {
        self.queue_time.record(time);
    }

    /// A message waited at the write gate.
    pub(crate) fn gate_waited_for(&self, time: Duration) {
        self.gate_wait.record(time);
    }
}

/// Reading paused for a protocol, or for the bytes of a message that is still arriving.
pub(crate) fn count_read_pause(
    node: &NodeLabel,
    protocol: Option<&Capability>,
    cause: &'static str,
    paused: Duration,
) {
    let protocol = protocol.map(ToString::to_string).unwrap_or_default();
    let labels = [SharedString::from(protocol), cause.into()];
    READ_PAUSES.of(node, labels).record(paused);
}

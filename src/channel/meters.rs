//! Counters of messages.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `peermux_messages_total` | counter | `protocol`, `direction` (`ingress`, `egress`) |
//! | `peermux_message_bytes_total` | counter | the same; uncompressed payload bytes |
//! | `peermux_messages_dropped_total` | counter | `protocol`; received messages that found a queue full |

use crate::metric::{Counter, counter};
use crate::p2p::Capability;

/// One protocol's counters; the handles are made once a connection.
pub(crate) struct MessageMeters {
    sent: Counter,
    sent_bytes: Counter,
    received: Counter,
    received_bytes: Counter,
    dropped: Counter,
}

impl MessageMeters {
    pub(crate) fn new(capability: &Capability) -> Self {
        let protocol = capability.to_string();
        let messages = |direction: &'static str| {
            counter!("peermux_messages_total",
                "protocol" => protocol.clone(), "direction" => direction)
        };
        let bytes = |direction: &'static str| {
            counter!("peermux_message_bytes_total",
                "protocol" => protocol.clone(), "direction" => direction)
        };
        Self {
            sent: messages("egress"),
            sent_bytes: bytes("egress"),
            received: messages("ingress"),
            received_bytes: bytes("ingress"),
            dropped: counter!("peermux_messages_dropped_total", "protocol" => protocol.clone()),
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
}

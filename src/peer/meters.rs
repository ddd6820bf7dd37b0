//! Counters through the `metrics` facade; nothing without that feature.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `peermux_peers` | gauge | `direction` |
//! | `peermux_messages_total` | counter | `protocol`, `direction` (`ingress`, `egress`) |
//! | `peermux_message_bytes_total` | counter | likewise; uncompressed payload bytes |
//! | `peermux_messages_dropped_total` | counter | `protocol`; received messages that found a queue full |
//! | `peermux_disconnects_total` | counter | `reason`, `side` (`local`, `remote`, `io`) |

#[cfg(feature = "metrics")]
pub(crate) use enabled::*;

#[cfg(not(feature = "metrics"))]
pub(crate) use disabled::*;

#[cfg(feature = "metrics")]
mod enabled {
    use metrics::{Counter, Gauge, counter, gauge};

    use crate::fault::Fault;
    use crate::p2p::Capability;
    use crate::peer::{Direction, PeerError};

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

    /// Counts a peer for as long as it is connected.
    pub(crate) struct PeerMeter(Gauge);

    impl PeerMeter {
        pub(crate) fn new(direction: Direction) -> Self {
            let gauge = gauge!("peermux_peers", "direction" => direction.as_str());
            gauge.increment(1);
            Self(gauge)
        }

        pub(crate) fn ended(&self, error: &PeerError) {
            let reason = error
                .reason()
                .map_or_else(|| "none".to_owned(), |r| r.to_string());
            let side = match (error.remote_requested(), error.fault()) {
                (true, _) => "remote",
                (false, Fault::Io) => "io",
                (false, _) => "local",
            };
            counter!("peermux_disconnects_total", "reason" => reason, "side" => side).increment(1);
        }
    }

    impl Drop for PeerMeter {
        fn drop(&mut self) {
            self.0.decrement(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod disabled {
    use crate::p2p::Capability;
    use crate::peer::{Direction, PeerError};

    pub(crate) struct MessageMeters;

    impl MessageMeters {
        pub(crate) fn new(_capability: &Capability) -> Self {
            Self
        }

        pub(crate) fn sent(&self, _bytes: usize) {}

        pub(crate) fn received(&self, _bytes: usize) {}

        pub(crate) fn dropped(&self) {}
    }

    pub(crate) struct PeerMeter;

    impl PeerMeter {
        pub(crate) fn new(_direction: Direction) -> Self {
            Self
        }

        pub(crate) fn ended(&self, _error: &PeerError) {}
    }
}

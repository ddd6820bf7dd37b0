//! What the layer counts, through the `metrics` facade. The table of
//! names stands in the module's documentation.

use std::fmt;
use std::time::Duration;

use crate::metric::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// What became of the wish for an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AckState {
    Awaited,
    Received,
    /// The receiver answered that it did not accept the message.
    Refused,
    TimedOut,
    /// The message or the connection failed.
    Failed,
    /// It came and nobody waited, or no longer.
    Unasked,
}

/// The handles, made once.
pub(crate) struct Meters {
    connections: Gauge,
    dials: Gauge,
    queued: Gauge,
    queue_seconds: Histogram,
    sent: Counter,
    received: Counter,
    undelivered: Counter,
    malformed: Counter,
    refused: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        let messages = |direction: &'static str| counter!("peermux_comm_messages_total", "direction" => direction);
        Self {
            connections: gauge!("peermux_comm_connections"),
            dials: gauge!("peermux_comm_dials"),
            queued: gauge!("peermux_comm_queued_messages"),
            queue_seconds: histogram!("peermux_comm_queue_seconds"),
            sent: messages("egress"),
            received: messages("ingress"),
            undelivered: counter!("peermux_comm_undelivered_total"),
            malformed: counter!("peermux_comm_malformed_total"),
            refused: counter!("peermux_comm_refused_total"),
        }
    }
}

impl Meters {
    pub(crate) fn connected(&self) {
        self.connections.increment(1);
    }

    pub(crate) fn disconnected(&self) {
        self.connections.decrement(1);
    }

    pub(crate) fn dialling(&self) {
        self.dials.increment(1);
    }

    pub(crate) fn dialled(&self) {
        self.dials.decrement(1);
    }

    pub(crate) fn queued(&self) {
        self.queued.increment(1);
    }

    pub(crate) fn unqueued(&self, messages: u32) {
        self.queued.decrement(messages);
    }

    pub(crate) fn sent(&self, messages: u64) {
        self.sent.increment(messages);
    }

    pub(crate) fn waited(&self, queued: Duration) {
        self.queue_seconds.record(queued);
    }

    pub(crate) fn unsent(&self, end: &'static str, cause: &'static str) {
        counter!("peermux_comm_unsent_total", "end" => end, "cause" => cause).increment(1);
    }

    pub(crate) fn ack(&self, state: AckState) {
        let state = match state {
            AckState::Awaited => "awaited",
            AckState::Received => "received",
            AckState::Refused => "refused",
            AckState::TimedOut => "timed_out",
            AckState::Failed => "failed",
            AckState::Unasked => "unasked",
        };
        counter!("peermux_comm_acks_total", "state" => state).increment(1);
    }

    pub(crate) fn received(&self) {
        self.received.increment(1);
    }

    pub(crate) fn undelivered(&self, messages: u64) {
        self.undelivered.increment(messages);
    }

    pub(crate) fn malformed(&self) {
        self.malformed.increment(1);
    }

    pub(crate) fn refused(&self) {
        self.refused.increment(1);
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

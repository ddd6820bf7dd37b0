//! The layer's counters, for [`CommStats`] and for the `metrics` facade.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::CommError;
use crate::metrics::table::{
    COMM_ACKS, COMM_CONNECTIONS, COMM_CONTESTED, COMM_DIALS, COMM_MALFORMED, COMM_MESSAGES,
    COMM_QUEUE_TIME, COMM_QUEUED, COMM_REFUSED, COMM_UNDELIVERED, COMM_UNSENT,
};
use crate::metrics::{Counter, Gauge, Histogram, NodeLabel};

/// A number in [`CommStats`], and the counter in the facade for the same number.
pub(crate) struct Count {
    total: AtomicU64,
    counter: Counter,
}

impl Count {
    fn new(counter: Counter) -> Self {
        let total = AtomicU64::new(0);
        Self { total, counter }
    }

    pub(crate) fn add(&self, count: u64) {
        self.total.fetch_add(count, Relaxed);
        self.counter.increment(count);
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $counter:expr;)+) => {
        /// A snapshot of the layer's counters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct CommStats {
            $($(#[$doc])* pub $name: u64,)+
            /// The time that messages spent on their way to the transport, in total.
            pub queued: Duration,
            /// Open connections.
            pub connections: usize,
            /// Nodes that are being dialled.
            pub dials: usize,
            /// Messages that wait in queues.
            pub waiting: usize,
        }

        /// The layer's counters, which are created only once, at the start.
        pub(crate) struct Stats {
            $(pub(crate) $name: Count,)+
            queued_nanos: AtomicU64,
            queue_seconds: Histogram,
            pub(crate) connections: Gauge,
            pub(crate) dials: Gauge,
            pub(crate) waiting: Gauge,
            node: NodeLabel,
        }

        impl Default for Stats {
            fn default() -> Self {
                Self::new(NodeLabel::default())
            }
        }

        impl Stats {
            pub(crate) fn new(node: NodeLabel) -> Self {
                let of = &node;
                Self {
                    $($name: Count::new($counter(of)),)+
                    queued_nanos: AtomicU64::new(0),
                    queue_seconds: COMM_QUEUE_TIME.of(of, []),
                    connections: COMM_CONNECTIONS.of(of, []),
                    dials: COMM_DIALS.of(of, []),
                    waiting: COMM_QUEUED.of(of, []),
                    node,
                }
            }

            pub(crate) fn snapshot(&self) -> CommStats {
                CommStats {
                    $($name: self.$name.total.load(Relaxed),)+
                    queued: Duration::from_nanos(self.queued_nanos.load(Relaxed)),
                    ..CommStats::default()
                }
            }
        }
    };
}

counts! {
    /// Messages that were handed to the transport.
    sent = messages("egress");
    /// Messages and answers that were dropped because a queue was full.
    overflowed = unsent;
    /// Messages that failed because their destination was not reached.
    failed_dial = unsent;
    /// Messages that failed because the connection ended.
    failed_closed = unsent;
    /// Messages that failed for another cause.
    failed_other = unsent;
    /// Well-formed messages that were received from an authenticated identity.
    received = messages("ingress");
    /// Malformed messages that were received; each ended its connection.
    malformed = |node| COMM_MALFORMED.of(node, []);
    /// How often a subscription lost a message because it was not read in time.
    undelivered = |node| COMM_UNDELIVERED.of(node, []);
    /// Acknowledgements that senders waited for.
    awaited_acks = acks("awaited");
    /// Awaited acknowledgements that arrived and accepted the message.
    received_acks = acks("received");
    /// Awaited acknowledgements that arrived and rejected the message.
    refused_acks = acks("refused");
    /// Awaited acknowledgements that did not arrive in time.
    timed_out_acks = acks("timed_out");
    /// Awaited acknowledgements whose message or connection failed.
    failed_acks = acks("failed");
    /// Acknowledgements for which no sender was waiting.
    unasked_acks = acks("unasked");
    /// Connections that proved an identity for which another node had an open connection.
    ///
    /// Two nodes that are configured with the same identity repeatedly replace each other's
    /// connection.
    contested = |node| COMM_CONTESTED.of(node, []);
    /// Connections on which the remote proved no identity.
    refused = |node| COMM_REFUSED.of(node, []);
}

fn messages(direction: &'static str) -> impl FnOnce(&NodeLabel) -> Counter {
    move |node| COMM_MESSAGES.of(node, [direction.into()])
}

fn acks(state: &'static str) -> impl FnOnce(&NodeLabel) -> Counter {
    move |node| COMM_ACKS.of(node, [state.into()])
}

/// Creates no counter in the facade. There, [`Stats::unsent`] counts unsent messages, by outcome
/// and cause.
fn unsent(_: &NodeLabel) -> Counter {
    Counter::noop()
}

impl Stats {
    /// Counts messages that were handed to the transport, with their times in the queue.
    pub(crate) fn sent(&self, queued: impl Iterator<Item = Duration>) {
        let (mut messages, mut nanos) = (0, 0_u64);
        for queued in queued {
            messages += 1;
            nanos = nanos.saturating_add(u64::try_from(queued.as_nanos()).unwrap_or(u64::MAX));
            self.queue_seconds.record(queued);
        }
        self.queued_nanos.fetch_add(nanos, Relaxed);
        self.sent.add(messages);
    }

    /// Counts a message that was not queued.
    pub(crate) fn dropped(&self, error: &CommError) {
        self.unsent("dropped", error);
    }

    /// Counts a queued message that was not sent.
    pub(crate) fn failed(&self, error: &CommError) {
        self.unsent("failed", error);
    }

    fn unsent(&self, end: &'static str, error: &CommError) {
        let count = match error {
            CommError::Full => &self.overflowed,
            CommError::PeerClosed(_) => &self.failed_closed,
            CommError::Dial(_) | CommError::Handshake { .. } | CommError::NotSupported { .. } => {
                &self.failed_dial
            }
            _ => &self.failed_other,
        };
        count.add(1);
        let labels = [end.into(), error.label().into()];
        COMM_UNSENT.of(&self.node, labels).increment(1);
    }

    /// Counts the end of a wait for an acknowledgement.
    pub(crate) fn ack_ended(&self, error: Option<&CommError>) {
        let count = match error {
            None => &self.received_acks,
            Some(CommError::Nack(_)) => &self.refused_acks,
            Some(CommError::Deadline { .. }) => &self.timed_out_acks,
            Some(_) => &self.failed_acks,
        };
        count.add(1);
    }
}

impl std::fmt::Debug for Stats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.snapshot().fmt(f)
    }
}

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::CommError;
use super::meters::{AckState, Meters};

/// What the layer has done so far; a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommStats {
    /// Messages that were handed to the transport.
    pub sent: u64,
    /// Messages and answers that were dropped because a queue was full.
    pub overflowed: u64,
    /// Messages that failed because their destination was not reached.
    pub failed_dial: u64,
    /// Messages that failed because the connection ended.
    pub failed_closed: u64,
    /// Messages that failed for another cause.
    pub failed_other: u64,
    /// Messages that were received, well-formed, from an authenticated identity.
    pub received: u64,
    /// Messages that were received malformed; each ended its connection.
    pub malformed: u64,
    /// How often a subscription lost a message because it was not read in time.
    pub undelivered: u64,
    /// Acknowledgements that were asked for and waited for.
    pub awaited_acks: u64,
    /// Those of them that came, and said that the message was accepted.
    pub received_acks: u64,
    /// Those of them that did not come in time.
    pub timed_out_acks: u64,
    /// Acknowledgements that nobody waited for, or no longer.
    pub unasked_acks: u64,
    /// Connections on which the remote proved no identity.
    pub refused: u64,
    /// The time that messages spent on their way to the transport, in total.
    pub queued: Duration,
    /// Open connections.
    pub connections: usize,
    /// Nodes that are being dialled.
    pub dials: usize,
    /// Messages that wait in queues.
    pub waiting: usize,
}

macro_rules! counters {
    ($($name:ident),+) => {
        /// The counters behind [`CommStats`], and the same for the `metrics` facade.
        #[derive(Debug, Default)]
        pub(crate) struct Stats {
            $($name: AtomicU64,)+
            queued_nanos: AtomicU64,
            pub(crate) meters: Meters,
        }

        impl Stats {
            pub(crate) fn snapshot(&self) -> CommStats {
                CommStats {
                    $($name: self.$name.load(Relaxed),)+
                    queued: Duration::from_nanos(self.queued_nanos.load(Relaxed)),
                    ..CommStats::default()
                }
            }
        }
    };
}

counters!(
    sent,
    overflowed,
    failed_dial,
    failed_closed,
    failed_other,
    received,
    malformed,
    undelivered,
    awaited_acks,
    received_acks,
    timed_out_acks,
    unasked_acks,
    refused
);

impl Stats {
    /// Messages were handed to the transport, each after the time that it was queued.
    pub(crate) fn sent(&self, queued: impl Iterator<Item = Duration>) {
        let (mut messages, mut nanos) = (0, 0_u64);
        for queued in queued {
            messages += 1;
            nanos = nanos.saturating_add(u64::try_from(queued.as_nanos()).unwrap_or(u64::MAX));
            self.meters.waited(queued);
        }
        self.sent.fetch_add(messages, Relaxed);
        self.queued_nanos.fetch_add(nanos, Relaxed);
        self.meters.sent(messages);
    }

    /// A message was not queued.
    pub(crate) fn dropped(&self, error: &CommError) {
        self.unsent("dropped", error);
    }

    /// A queued message was not sent.
    pub(crate) fn failed(&self, error: &CommError) {
        self.unsent("failed", error);
    }

    fn unsent(&self, end: &'static str, error: &CommError) {
        let counter = match error {
            CommError::Full => &self.overflowed,
            CommError::PeerClosed(_) => &self.failed_closed,
            CommError::Dial(_) | CommError::Handshake { .. } | CommError::NotSupported { .. } => {
                &self.failed_dial
            }
            _ => &self.failed_other,
        };
        counter.fetch_add(1, Relaxed);
        self.meters.unsent(end, error.label());
    }

    pub(crate) fn received(&self) {
        self.received.fetch_add(1, Relaxed);
        self.meters.received();
    }

    pub(crate) fn malformed(&self) {
        self.malformed.fetch_add(1, Relaxed);
        self.meters.malformed();
    }

    /// Subscriptions lost a message.
    pub(crate) fn undelivered(&self, subscriptions: usize) {
        let subscriptions = subscriptions as u64;
        self.undelivered.fetch_add(subscriptions, Relaxed);
        self.meters.undelivered(subscriptions);
    }

    pub(crate) fn ack(&self, state: AckState) {
        let counter = match state {
            AckState::Awaited => Some(&self.awaited_acks),
            AckState::Received => Some(&self.received_acks),
            AckState::TimedOut => Some(&self.timed_out_acks),
            AckState::Unasked => Some(&self.unasked_acks),
            AckState::Refused | AckState::Failed => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Relaxed);
        }
        self.meters.ack(state);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
        self.meters.refused();
    }
}

use std::time::{Duration, SystemTime};

use super::{IdentityLimits, SubscriptionConfig};
use crate::rlpx::MAX_PAYLOAD;
use crate::time::NEVER;

/// The settings of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(crate) unix_time: Duration,
    pub(crate) queue_messages: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) receive_queue: usize,
    pub(crate) max_message: usize,
    pub(crate) dial_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) probe_timeout: Duration,
    pub(crate) reply_timeout: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) failure_memory: Duration,
    pub(crate) simultaneous: Duration,
    pub(crate) max_dials: usize,
    pub(crate) subscription: SubscriptionConfig,
    pub(crate) identities: IdentityLimits,
}

impl Default for Config {
    #[expect(
        clippy::disallowed_methods,
        reason = "identities end at a time of day; it is read once here, tokio's clock goes on from it"
    )]
    fn default() -> Self {
        let unix_time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            // A clock before 1970 makes every certificate one that is not valid yet.
            unix_time: unix_time.unwrap_or_default(),
            queue_messages: 256,
            queue_bytes: 4 << 20,
            receive_queue: 20,
            max_message: MAX_PAYLOAD,
            dial_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(2),
            probe_timeout: Duration::from_secs(2),
            reply_timeout: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(5),
            failure_memory: Duration::from_secs(1),
            simultaneous: Duration::from_secs(5),
            max_dials: 1024,
            subscription: SubscriptionConfig::default(),
            identities: IdentityLimits::default(),
        }
    }
}

impl Config {
    /// Sets the time at which the layer starts, as a duration since the Unix epoch; identities
    /// are judged by it and by what tokio's clock counts from then on. Default: the system's time
    /// when the default was made.
    #[must_use]
    pub fn with_unix_time(mut self, now: Duration) -> Self {
        self.unix_time = now;
        self
    }

    /// Sets how many messages wait for one destination, while it is dialled or while it is slow;
    /// at least 1. Default: 256.
    #[must_use]
    pub fn with_queue_messages(mut self, messages: usize) -> Self {
        self.queue_messages = messages.max(1);
        self
    }

    /// Sets how many bytes wait for one destination. A message counts as its share of the queue
    /// at least, bytes / messages; one message of any size fits an empty queue. Default: 4 MiB.
    #[must_use]
    pub fn with_queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes.max(1);
        self
    }

    /// Sets how many received messages of one connection wait for the subscriptions; at least 1.
    /// Default: 20.
    #[must_use]
    pub fn with_receive_queue(mut self, messages: usize) -> Self {
        self.receive_queue = messages.max(1);
        self
    }

    /// Sets the largest message, in bytes as encoded, in both directions; one that arrives larger
    /// ends the connection. Default and maximum: 16,776,442.
    #[must_use]
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes.min(MAX_PAYLOAD);
        self
    }

    /// Sets how long the server may take to connect to a node. Default: 5 s.
    #[must_use]
    pub fn with_dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial_timeout = timeout.min(NEVER);
        self
    }

    /// Sets how long a connected node may take to prove its identity. Default: 2 s.
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout.min(NEVER);
        self
    }

    /// Sets how long a probe waits for the answer to its Ping. Default: 2 s.
    #[must_use]
    pub fn with_probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = timeout.min(NEVER);
        self
    }

    /// Sets how long an answer to a received message waits for room in the queue. Default: 5 s.
    #[must_use]
    pub fn with_reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// Sets how long [`Comm::stop`](super::Comm::stop) waits for connections to end. Default: 5 s.
    #[must_use]
    pub fn with_stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Sets for how long a failed dial answers for further messages to the same endpoint.
    /// Default: 1 s.
    #[must_use]
    pub fn with_failure_memory(mut self, memory: Duration) -> Self {
        self.failure_memory = memory;
        self
    }

    /// Sets within what time two connections of one identity count as simultaneous, so that both
    /// sides keep the one that the larger node id dialled; else the newer one is kept.
    /// Default: 5 s.
    #[must_use]
    pub fn with_simultaneous(mut self, window: Duration) -> Self {
        self.simultaneous = window;
        self
    }

    /// Sets how many nodes are being dialled at once; messages to further ones fail with
    /// [`CommError::Full`](super::CommError::Full). Default: 1024.
    #[must_use]
    pub fn with_max_dials(mut self, dials: usize) -> Self {
        self.max_dials = dials;
        self
    }

    /// Sets the bounds of subscriptions made without bounds of their own.
    #[must_use]
    pub fn with_subscription(mut self, config: SubscriptionConfig) -> Self {
        self.subscription = config;
        self
    }

    /// Sets how many identities are remembered, and for how long.
    #[must_use]
    pub fn with_identities(mut self, limits: IdentityLimits) -> Self {
        self.identities = limits;
        self
    }
}

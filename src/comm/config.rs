use std::time::Duration;

use super::{IdentityLimits, SubscriptionConfig};
use crate::rlpx::{MAX_PAYLOAD, message_id};
use crate::settings::{TooSmall, settings};

/// The highest bound of a queue, in messages. On all systems a semaphore can count that far.
const MAX_QUEUE: usize = (u32::MAX >> 4) as usize;

/// The largest message that fits any connection, whatever message ids the connection assigns.
const MAX_MESSAGE: usize = MAX_PAYLOAD + 1 - message_id::MAX_LENGTH;

settings! {
    /// The settings of the layer.
    ///
    /// [`Duration::MAX`] as a limit means no limit.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Config {
        /// The time since the Unix epoch when the layer starts; tokio's clock advances it.
        ///
        /// Identities are checked against this time. Default: `None`; the layer then uses the
        /// system's clock, and follows its corrections.
        unix_time / with_unix_time: Option<Duration> = None;
        /// How many messages may wait for one destination; at least 1.
        ///
        /// Messages wait while the destination is being dialled or reads slowly. Values above
        /// 268,435,455 are reduced to that. Default: 256.
        queue_messages / with_queue_messages: usize = 256, |messages: usize| messages.min(MAX_QUEUE);
        /// How many bytes may wait for one destination.
        ///
        /// Each message counts as at least `queue_bytes` / `queue_messages`. One message of any
        /// size fits an empty queue. Default: 4 MiB.
        queue_bytes / with_queue_bytes: usize = 4 << 20;
        /// How many received messages of one connection may wait for subscriptions; at least 1.
        ///
        /// Values above 268,435,455 are reduced to that. Default: 20.
        receive_queue / with_receive_queue: usize = 20, |messages: usize| messages.min(MAX_QUEUE);
        /// The largest message in either direction, in encoded bytes.
        ///
        /// A larger message from the remote ends the connection. Values above 16,776,434 are
        /// reduced to that. Default: 16,776,434.
        max_message / with_max_message: usize = MAX_MESSAGE, |bytes: usize| bytes.min(MAX_MESSAGE);
        /// How long the server may take to connect to a node. Default: 5 s.
        dial_timeout / with_dial_timeout: Duration = Duration::from_secs(5);
        /// How long a connected node may take to prove its identity. Default: 2 s.
        handshake_timeout / with_handshake_timeout: Duration = Duration::from_secs(2);
        /// How long a probe waits for the answer to its Ping. Default: 2 s.
        probe_timeout / with_probe_timeout: Duration = Duration::from_secs(2);
        /// How long an answer to a received message waits for room in the sending queue.
        ///
        /// Default: 5 s.
        reply_timeout / with_reply_timeout: Duration = Duration::from_secs(5);
        /// How long [`Comm::stop`](super::Comm::stop) waits for connections to end. Default: 5 s.
        stop_timeout / with_stop_timeout: Duration = Duration::from_secs(5);
        /// After a failed dial, how long further messages to the same endpoint fail at once.
        ///
        /// Default: 1 s.
        failure_memory / with_failure_memory: Duration = Duration::from_secs(1);
        /// The time within which two connections of one identity count as simultaneous.
        ///
        /// Of two simultaneous connections, both sides keep the one that the node with the larger
        /// id dialled. Of connections that are not simultaneous, they keep the newer one. Default:
        /// 5 s.
        simultaneous / with_simultaneous: Duration = Duration::from_secs(5);
        /// How many nodes may be dialled at the same time.
        ///
        /// Messages to further nodes fail with [`CommError::Full`](super::CommError::Full). With 0
        /// the layer uses only connections that others have opened. Default: 1024.
        max_dials / with_max_dials: usize = 1024;
        /// The bounds of subscriptions that do not set their own.
        subscription / with_subscription: SubscriptionConfig = SubscriptionConfig::default();
        /// How many identities are remembered, and for how long.
        identities / with_identities: IdentityLimits = IdentityLimits::default();
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), TooSmall> {
        TooSmall::check("queue_messages", self.queue_messages, 1)?;
        TooSmall::check("receive_queue", self.receive_queue, 1)?;
        TooSmall::check("identities.max", self.identities.max(), 1)
    }
}

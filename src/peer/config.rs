use std::time::Duration;

use super::Patience;
use crate::settings::settings;

settings! {
    /// The timing of a connected peer, and whether its traffic is recorded.
    ///
    /// The defaults suit the public networks, and are below the timeouts of every known
    /// implementation.
    #[doc(alias("timeout", "keepalive"))]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct PeerConfig {
        /// The interval between Pings.
        ///
        /// Default: 15 s. Minimum: 1 s, since remotes accept at most one Ping a second.
        /// `Duration::MAX` means never. While this side pauses reading, it repeats an unanswered
        /// Ping after half the interval, or after 1 s if that is longer. So this side does not seem
        /// dead even to a remote that receives nothing else from it.
        #[serde(with = "crate::units::duration")]
        ping_interval / with_ping_interval: Duration = Duration::from_secs(15);
        /// How old an unanswered Ping may become while nothing else arrives.
        ///
        /// The peer is then disconnected with
        /// [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Default: 15 s.
        #[serde(with = "crate::units::duration")]
        liveness_timeout / with_liveness_timeout: Duration = Duration::from_secs(15);
        /// Maximum time from a message's first byte to its last.
        ///
        /// Each 64 KiB adds one second. A slower remote is disconnected with
        /// [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Progress does not extend this
        /// deadline, and [`with_progress_timeout`](Self::with_progress_timeout) may expire first.
        /// Default: 30 s; `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        message_timeout / with_message_timeout: Duration = Duration::from_secs(30);
        /// Maximum time that the remote may take to accept a batch of messages.
        ///
        /// Each 64 KiB adds one second. A slower remote is disconnected. A batch accepts no message
        /// once it holds 64 KiB, so its last message may exceed that size. Progress does not extend
        /// this deadline, and [`with_progress_timeout`](Self::with_progress_timeout) may expire
        /// first. Default: 20 s; `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        write_timeout / with_write_timeout: Duration = Duration::from_secs(20);
        /// Maximum time between two bytes of a message or batch that is being transferred.
        ///
        /// If no byte passes for longer, the peer is disconnected. Default: 20 s; `Duration::MAX`
        /// means never.
        #[serde(with = "crate::units::duration")]
        progress_timeout / with_progress_timeout: Duration = Duration::from_secs(20);
        /// Maximum time that a handler may leave a full queue untouched.
        ///
        /// The peer is then disconnected with
        /// [`SUBPROTOCOL_ERROR`](crate::DisconnectReason::SUBPROTOCOL_ERROR). Default: 8 s, which
        /// is below every known pong timeout; `Duration::MAX` means never.
        ///
        /// Each message that the handler takes or releases restarts this time. A handler that is
        /// slower than the remote but makes progress therefore only slows the connection down. A
        /// protocol can drop messages instead, see [`WhenFull`](crate::WhenFull).
        #[serde(with = "crate::units::duration")]
        stall_limit / with_stall_limit: Duration = Duration::from_secs(8);
        /// How long an ending connection waits for its protocols and for queued messages.
        ///
        /// Afterwards the remaining protocols are aborted, and the remaining messages are dropped.
        /// Default: 5 s.
        #[serde(with = "crate::units::duration")]
        grace_period / with_grace_period: Duration = Duration::from_secs(5);
        /// How long the receiving side stays open after our Disconnect.
        ///
        /// If the receiving side closed at once, the kernel could reset the connection, and the
        /// remote could lose the Disconnect. Default: 2 s.
        #[serde(with = "crate::units::duration")]
        linger / with_linger: Duration = Duration::from_secs(2);
        /// Whether the connection's traffic is recorded, see [`recorder`](crate::recorder).
        ///
        /// A busy peer's recording takes up to 24 KiB. Default: yes.
        recording / with_recording: bool = true;
    }
}

impl PeerConfig {
    /// The time limits for reading a message.
    pub(crate) fn reading(&self) -> Patience {
        Patience {
            base: self.message_timeout,
            idle: self.progress_timeout,
        }
    }

    /// The time limits for writing a batch.
    pub(crate) fn writing(&self) -> Patience {
        Patience {
            base: self.write_timeout,
            idle: self.progress_timeout,
        }
    }
}

use std::time::Duration;

use super::Patience;
use crate::settings::settings;

settings! {
    /// The timing of a connected peer, and whether it is recorded.
    ///
    /// The defaults suit the public networks; they stay below the timeouts of every known
    /// implementation.
    #[doc(alias("timeout", "keepalive"))]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct PeerConfig {
        /// The interval between Pings.
        ///
        /// Default: 15 s. The minimum is 1 s, since remotes accept one Ping a second;
        /// `Duration::MAX` means never. If this side pauses reading, an unanswered Ping is repeated
        /// after half the interval, at least a second, so that a remote that receives nothing else
        /// from us does not consider us dead.
        #[serde(with = "crate::units::duration")]
        ping_interval / with_ping_interval: Duration = Duration::from_secs(15);
        /// How old an unanswered Ping may be while nothing else arrives.
        ///
        /// The peer then ends with [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT).
        /// Default: 15 s.
        #[serde(with = "crate::units::duration")]
        liveness_timeout / with_liveness_timeout: Duration = Duration::from_secs(15);
        /// How long a message may take from its first byte to its last.
        ///
        /// It gets one second more for each 64 KiB; then the peer ends with
        /// [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Progress does not extend this
        /// deadline, and [`with_progress_timeout`](Self::with_progress_timeout) may expire first.
        /// Default: 30 s; `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        message_timeout / with_message_timeout: Duration = Duration::from_secs(30);
        /// How long the remote may take to accept a batch of messages.
        ///
        /// It gets one second more for each 64 KiB; then the peer ends. A batch is sent together:
        /// messages of up to 64 KiB in all, or one larger message. Progress does not extend this
        /// deadline, and [`with_progress_timeout`](Self::with_progress_timeout) may expire first.
        /// Default: 20 s; `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        write_timeout / with_write_timeout: Duration = Duration::from_secs(20);
        /// How long a message or batch in transit may go without a single byte.
        ///
        /// Then the peer ends. Default: 20 s; `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        progress_timeout / with_progress_timeout: Duration = Duration::from_secs(20);
        /// How long a protocol whose queue is full may take no message.
        ///
        /// Then the peer ends with
        /// [`SUBPROTOCOL_ERROR`](crate::DisconnectReason::SUBPROTOCOL_ERROR). Default: 8 s, which
        /// is below every known pong timeout; `Duration::MAX` means never.
        ///
        /// Each message that the handler takes or releases restarts the time, so a handler that is
        /// slower than the remote slows the connection down for as long as it works. A protocol can
        /// drop messages instead, see [`WhenFull`](crate::WhenFull).
        #[serde(with = "crate::units::duration")]
        stall_limit / with_stall_limit: Duration = Duration::from_secs(8);
        /// How long protocols and queued messages get to finish before they are aborted.
        ///
        /// Default: 5 s.
        #[serde(with = "crate::units::duration")]
        grace_period / with_grace_period: Duration = Duration::from_secs(5);
        /// How long the receiving side stays open after our Disconnect.
        ///
        /// If it closed at once, the kernel could reset the connection and destroy the Disconnect.
        /// Default: 2 s.
        #[serde(with = "crate::units::duration")]
        linger / with_linger: Duration = Duration::from_secs(2);
        /// Whether the connection's traffic is recorded, see [`recorder`](crate::recorder).
        ///
        /// A busy peer's recording takes up to 24 KiB. Default: yes.
        recording / with_recording: bool = true;
    }
}

impl PeerConfig {
    /// The time limits for a message that arrives.
    pub(crate) fn reading(&self) -> Patience {
        Patience {
            base: self.message_timeout,
            idle: self.progress_timeout,
        }
    }

    /// The time limits for a batch that is written.
    pub(crate) fn writing(&self) -> Patience {
        Patience {
            base: self.write_timeout,
            idle: self.progress_timeout,
        }
    }
}

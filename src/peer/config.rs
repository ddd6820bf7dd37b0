use std::time::Duration;

use super::Patience;
use crate::settings::settings;

settings! {
    /// The timing of a connected peer, and whether it is recorded.
    ///
    /// The defaults suit the public networks; they stay below the patience of every known
    /// implementation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct PeerConfig {
        /// From one Ping to the next. Default: 15 s; less than a second is taken as one second, which
        /// is what remotes grant, and `Duration::MAX` means never. An unanswered Ping is repeated
        /// after half of it, and at least a second, if this side paused reading meanwhile, so that a
        /// remote that hears nothing else of us does not take us for dead.
        #[serde(with = "crate::units::duration")]
        ping_interval / with_ping_interval: Duration = Duration::from_secs(15);
        /// How old an unanswered Ping may be, with no byte received meanwhile, before the peer ends
        /// with [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Default: 15 s.
        #[serde(with = "crate::units::duration")]
        liveness_timeout / with_liveness_timeout: Duration = Duration::from_secs(15);
        /// How long a message may take from its first byte to its last, plus a second for each
        /// 64 KiB of it, before the peer ends with
        /// [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Progress does not move this
        /// deadline, and [`with_progress_timeout`](Self::with_progress_timeout) may come before it.
        /// Default: 30 s; `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        message_timeout / with_message_timeout: Duration = Duration::from_secs(30);
        /// How long the remote may take to accept a batch of messages, plus a second for each
        /// 64 KiB of it, before the peer ends. A batch is what is sent together: messages of up to
        /// 64 KiB in all, or one larger one. Progress does not move this deadline, and
        /// [`with_progress_timeout`](Self::with_progress_timeout) may come before it. Default: 20 s;
        /// `Duration::MAX` means never.
        #[serde(with = "crate::units::duration")]
        write_timeout / with_write_timeout: Duration = Duration::from_secs(20);
        /// How long the rest of a message that is being read, or of a batch that is being written,
        /// may go without a single byte, before the peer ends. Default: 20 s; `Duration::MAX` means
        /// never.
        #[serde(with = "crate::units::duration")]
        progress_timeout / with_progress_timeout: Duration = Duration::from_secs(20);
        /// How long a protocol whose queue is full may take no message, before the peer ends with
        /// [`SUBPROTOCOL_ERROR`](crate::DisconnectReason::SUBPROTOCOL_ERROR). Default: 8 s, which is
        /// below every known pong timeout; `Duration::MAX` means never.
        ///
        /// Each message that the handler takes, or whose room it gives back, restarts the time: a
        /// handler that is slower than the remote holds the connection back for as long as it works.
        /// A protocol can drop messages instead, see [`WhenFull`](crate::WhenFull).
        #[serde(with = "crate::units::duration")]
        stall_limit / with_stall_limit: Duration = Duration::from_secs(8);
        /// How long protocols and queued messages get to end before they are aborted. Default: 5 s.
        #[serde(with = "crate::units::duration")]
        grace_period / with_grace_period: Duration = Duration::from_secs(5);
        /// How long the receiving side stays open after our Disconnect, so that the kernel does not
        /// destroy it with a reset. Default: 2 s.
        #[serde(with = "crate::units::duration")]
        linger / with_linger: Duration = Duration::from_secs(2);
        /// Whether what crosses the connection is recorded, see [`recorder`](crate::recorder). It takes up
        /// to 24 KiB for a busy peer. Default: yes.
        recording / with_recording: bool = true;
    }
}

impl PeerConfig {
    /// What is granted to a message that arrives.
    pub(crate) fn reading(&self) -> Patience {
        Patience {
            base: self.message_timeout,
            idle: self.progress_timeout,
        }
    }

    /// What is granted to a batch that is written.
    pub(crate) fn writing(&self) -> Patience {
        Patience {
            base: self.write_timeout,
            idle: self.progress_timeout,
        }
    }
}

use std::time::Duration;

use super::Patience;

/// The timing of a connected peer.
///
/// The defaults suit the public networks; they stay below the patience of every known
/// implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PeerConfig {
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) ping_interval: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) liveness_timeout: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) message_timeout: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) write_timeout: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) progress_timeout: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) stall_limit: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) grace_period: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    pub(crate) linger: Duration,
}

impl Default for PeerConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(15),
            liveness_timeout: Duration::from_secs(15),
            message_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(20),
            progress_timeout: Duration::from_secs(20),
            stall_limit: Duration::from_secs(8),
            grace_period: Duration::from_secs(5),
            linger: Duration::from_secs(2),
        }
    }
}

impl PeerConfig {
    /// From one Ping to the next. Default: 15 s. An unanswered Ping is repeated after half of it, at
    /// least a second, if this side paused reading meanwhile: the remote may hear nothing else.
    #[must_use]
    pub fn with_ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// How old an unanswered Ping may be, with no byte received meanwhile, before the peer ends
    /// with [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Default: 15 s.
    #[must_use]
    pub fn with_liveness_timeout(mut self, timeout: Duration) -> Self {
        self.liveness_timeout = timeout;
        self
    }

    /// How long a message may take from its first byte to its last, beside a second for each
    /// 64 KiB of it, before the peer ends with
    /// [`READ_TIMEOUT`](crate::DisconnectReason::READ_TIMEOUT). Progress does not move this
    /// deadline, and [`with_progress_timeout`](Self::with_progress_timeout) may come before it.
    /// Default: 30 s; `Duration::MAX` means never.
    #[must_use]
    pub fn with_message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout;
        self
    }

    /// How long the remote may take to accept a batch of messages, beside a second for each 64 KiB
    /// of it, before the peer ends. A batch is what is sent together: messages of up to 64 KiB in
    /// all, or one larger one. Progress does not move this deadline, and
    /// [`with_progress_timeout`](Self::with_progress_timeout) may come before it. Default: 20 s;
    /// `Duration::MAX` means never.
    #[must_use]
    pub fn with_write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long the rest of a message that is being read, or of a batch that is being written, may
    /// go without a single byte, before the peer ends. Default: 20 s; `Duration::MAX` means never.
    #[must_use]
    pub fn with_progress_timeout(mut self, timeout: Duration) -> Self {
        self.progress_timeout = timeout;
        self
    }

    /// How long a protocol whose queue is full may take no message, before the peer ends with
    /// [`SUBPROTOCOL_ERROR`](crate::DisconnectReason::SUBPROTOCOL_ERROR). Default: 8 s, which is
    /// below every known pong timeout; `Duration::MAX` means never.
    ///
    /// Each message that the handler takes, or whose room it gives back, restarts the time: a
    /// handler that is slower than the remote holds the connection back for as long as it works.
    /// A protocol can drop messages instead, see [`WhenFull`](crate::WhenFull).
    #[must_use]
    pub fn with_stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = limit;
        self
    }

    /// How long protocols and queued messages get to end before they are aborted. Default: 5 s.
    #[must_use]
    pub fn with_grace_period(mut self, period: Duration) -> Self {
        self.grace_period = period;
        self
    }

    /// How long the receiving side stays open after our Disconnect, so that the kernel does not
    /// destroy it with a reset. Default: 2 s.
    #[must_use]
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

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

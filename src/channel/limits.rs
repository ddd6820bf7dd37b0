use super::Quota;
use crate::rlpx::MAX_PAYLOAD;
use crate::settings::{TooSmall, settings};

settings! {
    /// Bounds on what one protocol may hold on one connection.
    ///
    /// Both directions have the same bounds. In the sending direction `send` waits while the queue
    /// is full. In the receiving direction [`WhenFull`] decides what happens.
    #[doc(alias("backpressure", "queue"))]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ProtocolLimits {
        /// The largest payload accepted from a remote, in bytes of the uncompressed message.
        ///
        /// The declared length is checked before anything is allocated. Values above
        /// [`MAX_PAYLOAD`] are reduced to it. Default: [`MAX_PAYLOAD`].
        max_message / with_max_message: usize = MAX_PAYLOAD, |bytes: usize| bytes.min(MAX_PAYLOAD);
        /// How many messages may wait or be held in each direction.
        ///
        /// A received message counts while it waits for the handler or the handler holds it; an
        /// outgoing message counts while it waits to be sent. Minimum: 1. Default: 256.
        queue_messages / with_queue_messages: usize = 256;
        /// How many payload bytes may wait or be held in each direction.
        ///
        /// An empty queue admits one message of any size. Default: 4 MiB.
        queue_bytes / with_queue_bytes: usize = 4 << 20;
        /// What happens to a received message that finds the queue full.
        ///
        /// Default: [`WhenFull::Pause`].
        when_full / with_when_full: WhenFull = WhenFull::Pause;
        /// How much the remote may send per second.
        ///
        /// Default: [`Quota::UNLIMITED`].
        receive_quota / with_receive_quota: Quota = Quota::UNLIMITED;
        /// What happens to a received message that exceeds the receive quota.
        ///
        /// Default: [`WhenOver::Wait`].
        when_over / with_when_over: WhenOver = WhenOver::Wait;
        /// How much this side sends per second.
        ///
        /// When the quota is used up, `send` waits, and `try_send` reports a full queue. Default:
        /// [`Quota::UNLIMITED`].
        send_quota / with_send_quota: Quota = Quota::UNLIMITED;
    }
}

/// What happens to a received message that finds its protocol's queue full.
#[doc(alias = "backpressure")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The connection stops reading until there is room.
    ///
    /// Messages of other protocols that follow in the stream wait too; outgoing messages, including
    /// Pings, are still sent. The peer is disconnected only if the handler takes no message for the
    /// [stall limit](crate::peer::PeerConfig::with_stall_limit).
    #[default]
    Pause,
    /// The message is dropped and [counted](crate::ProtocolConn::dropped), and reading continues.
    DropNewest,
}

/// What happens to a received message that exceeds its protocol's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenOver {
    /// The message waits in the queue until the quota allows it.
    ///
    /// If the queue is full, [`WhenFull`] decides what happens.
    #[default]
    Wait,
    /// The message is dropped and [counted](crate::ProtocolConn::dropped).
    DropNewest,
    /// The peer is disconnected with
    /// [`SUBPROTOCOL_ERROR`](crate::DisconnectReason::SUBPROTOCOL_ERROR).
    Disconnect,
}

impl ProtocolLimits {
    pub(crate) fn check(&self) -> Result<(), TooSmall> {
        TooSmall::check("queue_messages", self.queue_messages, 1)
    }

    /// Whether a queue of `messages` with `bytes` in total admits a message of `size`.
    pub(crate) fn admits(&self, messages: usize, bytes: usize, size: usize) -> bool {
        messages == 0
            || (messages < self.queue_messages && bytes.saturating_add(size) <= self.queue_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_of_any_size_fits_an_empty_queue() {
        let limits = ProtocolLimits::default()
            .with_queue_bytes(10)
            .with_queue_messages(2);
        assert!(limits.admits(0, 0, 1000));
        assert!(!limits.admits(1, 1000, 0));
        assert!(limits.admits(1, 5, 5));
        assert!(!limits.admits(1, 5, 6));
        assert!(!limits.admits(2, 0, 0));
    }
}

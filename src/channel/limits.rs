use crate::rlpx::MAX_PAYLOAD;

/// Bounds on what one protocol may hold on one connection.
///
/// Both directions have the same bounds. In the sending direction `send` waits while the queue is
/// full; in the receiving direction [`WhenFull`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolLimits {
    max_message: usize,
    queue_messages: usize,
    queue_bytes: usize,
    when_full: WhenFull,
}

/// What happens to a received message that finds its protocol's queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The connection stops reading until there is room. Messages of other protocols that stand
    /// behind it in the stream wait too; outgoing messages, Pings included, go on. The peer ends
    /// only if the handler takes no message for the
    /// [stall limit](crate::peer::PeerConfig::with_stall_limit).
    #[default]
    Pause,
    /// The message is dropped and [counted](crate::ProtocolConn::dropped), and reading goes on.
    DropNewest,
}

impl Default for ProtocolLimits {
    fn default() -> Self {
        Self {
            max_message: MAX_PAYLOAD,
            queue_messages: 256,
            queue_bytes: 4 << 20,
            when_full: WhenFull::Pause,
        }
    }
}

impl ProtocolLimits {
    /// The largest payload accepted from a remote, in bytes of the uncompressed message; checked
    /// on the declared length, before anything is allocated. Default and maximum:
    /// [`MAX_PAYLOAD`].
    #[must_use]
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes.min(MAX_PAYLOAD);
        self
    }

    /// How many messages may wait for the handler, or be held by it, or wait to be sent; at least
    /// 1. Default: 256.
    #[must_use]
    pub fn with_queue_messages(mut self, messages: usize) -> Self {
        self.queue_messages = messages.max(1);
        self
    }

    /// How many payload bytes may wait, likewise. One message of any size is admitted to an
    /// empty queue. Default: 4 MiB.
    #[must_use]
    pub fn with_queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Sets what happens to a received message that finds the queue full. Default:
    /// [`WhenFull::Pause`].
    #[must_use]
    pub fn with_when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// The largest payload accepted, in bytes.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.max_message
    }

    /// The bound of each queue, in messages.
    #[must_use]
    pub fn queue_messages(&self) -> usize {
        self.queue_messages
    }

    /// The bound of each queue, in bytes.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.queue_bytes
    }

    /// What happens to a received message that finds the queue full.
    #[must_use]
    pub fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// Whether a queue that holds `messages` of `bytes` in all takes one more of `size` bytes.
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

use crate::metrics::table::TCP_RETRANSMITS;
use crate::metrics::{Counter, NodeLabel};

/// The kernel's counters for the bytes that a connection has sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// The approximate number of bytes not acknowledged in order.
    pub(super) unacknowledged: u64,
    /// Segments retransmitted since the start of the connection.
    pub(super) retransmits: u32,
}

/// Counts the segments that the kernel retransmits.
///
/// A socket does not know its server, so all servers in a process share one time series.
#[derive(Debug)]
pub(super) struct Retransmits {
    counted: u32,
    counter: Counter,
}

impl Retransmits {
    pub(super) fn new() -> Self {
        Self {
            counted: 0,
            counter: TCP_RETRANSMITS.of(&NodeLabel::default(), []),
        }
    }

    pub(super) fn count(&mut self, sent: Sent) {
        let more = sent.retransmits.saturating_sub(self.counted);
        if more > 0 {
            self.counted = sent.retransmits;
            self.counter.increment(more.into());
        }
    }
}

//! Decides how much the write loop takes from the gate for one write.

use std::time::Duration;

/// Maximum of the limit on a batch. For this many bytes, a system call costs little compared with
/// encryption.
pub(crate) const MOST: usize = 64 << 10;
/// Minimum of the limit on a batch. With a lower limit, small messages would need many more system
/// calls.
const LEAST: usize = 16 << 10;

/// Target duration of writing a batch. It is short, since an urgent message waits for the current
/// batch.
const SHORT: Duration = Duration::from_millis(5);

/// Measures how fast the connection takes bytes.
///
/// A fast connection gets large batches, which need fewer system calls. A slow connection gets
/// small batches, which delay urgent messages less.
#[derive(Debug)]
pub(crate) struct Gather {
    limit: usize,
    bytes: usize,
    took: Duration,
}

impl Default for Gather {
    fn default() -> Self {
        Self {
            limit: MOST,
            bytes: 0,
            took: Duration::ZERO,
        }
    }
}

impl Gather {
    /// Returns the size at which a batch accepts no further message.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Records a written batch.
    ///
    /// The rate is measured over several batches, since the kernel accepts some batches at once and
    /// blocks on others.
    pub(crate) fn on_written(&mut self, bytes: usize, took: Duration) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.took = self.took.saturating_add(took);
        if self.bytes >= MOST {
            let took = self.took.as_micros().max(1);
            let limit = self.bytes as u128 * SHORT.as_micros() / took;
            self.limit = usize::try_from(limit).unwrap_or(MOST).clamp(LEAST, MOST);
            self.bytes = 0;
            self.took = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(batches: usize, bytes: usize, took: Duration) -> usize {
        let mut gather = Gather::default();
        for _ in 0..batches {
            gather.on_written(bytes, took);
        }
        gather.limit()
    }

    #[test]
    fn a_fast_connection_keeps_large_batches() {
        assert_eq!(after(1, MOST, Duration::from_micros(200)), MOST);
        assert_eq!(after(10_000, 32, Duration::ZERO), MOST);
        assert_eq!(after(2, usize::MAX, Duration::ZERO), MOST);
    }

    #[test]
    fn a_slow_connection_gets_small_ones() {
        // 2.5 MB/s.
        assert_eq!(after(1, MOST, Duration::from_millis(26)), LEAST);
        // 8 MB/s.
        let limit = after(4, 16 << 10, Duration::from_millis(2));
        assert!((38 << 10..=42 << 10).contains(&limit), "{limit}");
        assert_eq!(after(1, 16 << 20, Duration::MAX), LEAST);
    }

    #[test]
    fn batches_that_the_kernel_takes_at_once_do_not_hide_the_rate() {
        let mut gather = Gather::default();
        for _ in 0..8 {
            gather.on_written(8 << 10, Duration::ZERO);
            gather.on_written(8 << 10, Duration::from_millis(6));
        }
        assert_eq!(gather.limit(), LEAST);
    }
}

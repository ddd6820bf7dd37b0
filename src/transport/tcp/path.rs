//! Measures how many bytes a path holds, and computes bounds from the result.
//!
//! The functions use no clock and no socket: the time and the round trip are arguments.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes between two updates of a bound.
///
/// An update also replaces the larger window that the kernel may have set by itself.
const STEP: u64 = 64 << 10;

/// The shortest measurement. Over a shorter time, the measured rate would be random.
const SHORTEST_ROUND: Duration = Duration::from_millis(2);

/// The smallest window, which is enough for a connection within one machine.
///
/// On such a connection, this window allows full throughput, and an echo during bulk traffic takes
/// less than 1 ms.
const LEAST_WINDOW: u64 = 256 << 10;
/// The maximum that the kernel may hold for one connection: a peer's memory budget.
const LARGEST_WINDOW: u64 = 32 << 20;
/// A window is this many times as large as the bytes that the path holds.
///
/// This is enough because a sender doubles its rate in one round trip, and retransmits losses in
/// another.
const WINDOWS_PER_ROUND: u64 = 4;

/// The smallest bound on unsent bytes.
///
/// This many bytes keep a network card busy until the write loop runs again.
const LEAST_UNSENT: u64 = 16 << 10;
/// Divides the bytes that the path holds; the result is the bound on unsent bytes.
///
/// So unsent bytes delay an urgent message by an eighth of a round trip, unless the bound is
/// `LEAST_UNSENT`.
const UNSENT_PER_ROUND: u64 = 8;
/// A chunk contains the bytes that move in 4 ms, but at least `LEAST_CHUNK`.
const CHUNKS_PER_SECOND: u64 = 250;
const LEAST_CHUNK: u64 = 8 << 10;
/// The largest segment that the kernel builds, in bytes.
const SEGMENT: u64 = 64 << 10;
/// The longest pause of the writer; it is short because the rate may rise meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_millis(4);

/// Measures how many bytes a path holds: those that move during its shortest round trip.
///
/// Queues in the network or the kernel make round trips longer, but not the shortest one. The
/// result is therefore the number of bytes that must be in flight for full speed, without any
/// queue.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// The start of the current measurement.
    since: Option<Instant>,
    /// Bytes moved since the start of the current measurement.
    moved: u64,
    /// Bytes moved since the last complete step.
    unseen: u64,
    /// Bytes that the path holds; a maximum that decays by an eighth per measurement.
    held: u64,
    /// Bytes sent and not acknowledged in order; a maximum that decays like `held`.
    unacknowledged: u64,
    /// Bytes per second; `None` before the first measurement.
    rate: Option<u64>,
    /// Whether the last measurement raised the rate by more than a quarter. The first measurement
    /// counts as a rise from zero.
    rises: bool,
}

impl Path {
    /// Counts moved bytes, and returns whether [`STEP`] bytes are complete.
    pub(super) fn moved(&mut self, bytes: usize) -> bool {
        self.moved = self.moved.saturating_add(bytes as u64);
        self.unseen = self.unseen.saturating_add(bytes as u64);
        let complete = self.unseen >= STEP;
        if complete {
            self.unseen = 0;
        }
        complete
    }

    /// Takes a measurement if one is due, and returns whether it did.
    ///
    /// `min_rtt` is called only if the measurement is long enough.
    pub(super) fn measure(
        &mut self,
        now: Instant,
        min_rtt: impl FnOnce() -> Option<Duration>,
    ) -> bool {
        let Some(since) = self.since else {
            self.begin(now);
            return false;
        };
        let took = now.saturating_duration_since(since);
        if took < SHORTEST_ROUND {
            return false;
        }
        let Some(rtt) = min_rtt().filter(|rtt| took >= *rtt) else {
            return false;
        };
        let held = u128::from(self.moved) * rtt.as_micros() / took.as_micros();
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        // The maximum decays slowly, because a pause of the sender does not change the path.
        self.held = held.max(self.held - self.held / 8);
        let rate = u128::from(self.moved) * 1_000_000 / took.as_micros();
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let last = self.rate.unwrap_or(0);
        self.rises = rate > last.saturating_add(last / 4);
        self.rate = Some(rate.max(last - last / 8));
        self.begin(now);
        true
    }

    fn begin(&mut self, now: Instant) {
        self.since = Some(now);
        self.moved = 0;
    }

    /// Returns the window that this path needs, in bytes.
    pub(super) fn window(&self) -> u32 {
        let window = self.held.saturating_mul(WINDOWS_PER_ROUND);
        bytes(window.clamp(LEAST_WINDOW, LARGEST_WINDOW))
    }

    /// Returns how many bytes to write at once, if the path is slow.
    ///
    /// The kernel checks its bound on unsent bytes only before it begins a segment, and on a slow
    /// path a whole segment would be a long queue. There is no limit while the rate rises.
    pub(super) fn chunk(&self) -> Option<usize> {
        let chunk = (self.rate? / CHUNKS_PER_SECOND).max(LEAST_CHUNK);
        let longest = chunk.max(self.short_queue());
        let slow = !self.rises && longest < SEGMENT;
        usize::try_from(chunk).ok().filter(|_| slow)
    }

    /// Returns how long to wait before writing a chunk with `unsent` bytes ahead of it.
    ///
    /// The wait ends when the unsent bytes have fallen to half of what the path needs, or after
    /// `LONGEST_PAUSE`.
    pub(super) fn pause(&self, unsent: u32) -> Option<Duration> {
        let surplus = u64::from(unsent).saturating_sub(self.short_queue() / 2);
        let rate = self.rate.filter(|rate| *rate > 0)?;
        let pause = Duration::from_micros(surplus.saturating_mul(1_000_000) / rate);
        (u64::from(unsent) >= self.short_queue()).then(|| pause.min(LONGEST_PAUSE))
    }

    /// Records the bytes that have been sent and are not acknowledged in order.
    ///
    /// With packet loss, this is several times as many bytes as the path holds.
    pub(super) fn on_unacknowledged(&mut self, bytes: u64) {
        let last = self.unacknowledged;
        self.unacknowledged = bytes.max(last - last / 8);
    }

    /// Returns how many unsent bytes this path needs, given the send buffer's size.
    ///
    /// If the bytes in flight fill the send buffer, the kernel wakes a writer only when a third of
    /// the buffer is free. The writer must then be allowed to fill that third.
    pub(super) fn unsent(&self, send_buffer: u64) -> u32 {
        let half = send_buffer / 2;
        bytes(if self.held.max(self.unacknowledged) > half {
            half.max(LEAST_UNSENT)
        } else {
            self.short_queue()
        })
    }

    /// Returns a number of unsent bytes that delays an urgent message only briefly.
    fn short_queue(&self) -> u64 {
        (self.held / UNSENT_PER_ROUND).max(LEAST_UNSENT)
    }
}

fn bytes(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Moves bytes at a steady rate, in steps.
    fn flow(path: &mut Path, start: Instant, rate: u64, lasts: Duration, rtt: Duration) -> Instant {
        let step = Duration::from_secs_f64(STEP as f64 / rate as f64);
        let (mut now, end) = (start, start + lasts);
        while now < end {
            now += step;
            assert!(path.moved(STEP as usize));
            path.measure(now, || Some(rtt));
        }
        now
    }

    fn measured(rate: u64, rtt: Duration) -> Path {
        let mut path = Path::default();
        flow(&mut path, Instant::now(), rate, Duration::from_secs(3), rtt);
        path
    }

    #[tokio::test(start_paused = true)]
    async fn on_one_machine_the_bounds_stay_at_their_minimum() {
        let path = measured(400 * MIB, Duration::from_micros(30));
        assert_eq!(path.chunk(), None);
        assert_eq!(u64::from(path.window()), LEAST_WINDOW);
        assert_eq!(u64::from(path.unsent(4 * MIB)), LEAST_UNSENT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_fast_path_gets_a_window_of_four_round_trips() {
        let path = measured(20 * MIB, Duration::from_millis(100));
        let window = u64::from(path.window());
        assert!((7 * MIB..=9 * MIB).contains(&window), "{window}");
        let unsent = u64::from(path.unsent(8 * MIB));
        assert!((220 << 10..=280 << 10).contains(&unsent), "{unsent}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_slow_path_keeps_the_queue_short() {
        let path = measured(2_500_000, Duration::from_millis(50));
        assert_eq!(u64::from(path.unsent(MIB)), LEAST_UNSENT);
        assert!(path.chunk().is_some_and(|bytes| bytes < 11_000));
        assert_eq!(path.pause(10_000), None);
        let pause = path.pause(18_192).map(|pause| pause.as_millis());
        assert!(matches!(pause, Some(3..=4)), "{pause:?}");
        assert_eq!(path.pause(u32::MAX), Some(LONGEST_PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_send_buffer_that_limits_the_rate_may_be_filled() {
        let path = measured(30 * MIB, Duration::from_millis(100));
        assert_eq!(u64::from(path.unsent(4 * MIB)), 2 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn lost_packets_count_as_held_until_they_are_acknowledged() {
        let mut path = measured(10 * MIB, Duration::from_millis(100));
        let short = path.unsent(4 * MIB);
        path.on_unacknowledged(5 * MIB / 2);
        assert_eq!(u64::from(path.unsent(4 * MIB)), 2 * MIB);
        path.on_unacknowledged(MIB);
        assert_eq!(u64::from(path.unsent(4 * MIB)), 2 * MIB);
        for _ in 0..2 {
            path.on_unacknowledged(MIB);
        }
        assert_eq!(path.unsent(4 * MIB), short);
    }

    #[tokio::test(start_paused = true)]
    async fn no_remote_gets_more_than_the_largest_window() {
        let path = measured(1000 * MIB, Duration::from_secs(1));
        assert_eq!(u64::from(path.window()), LARGEST_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_shrinks_if_bytes_are_read_more_slowly() {
        let rtt = Duration::from_millis(10);
        let mut path = Path::default();
        let long = Duration::from_secs(3);
        let now = flow(&mut path, Instant::now(), 100 * MIB, long, rtt);
        assert!(u64::from(path.window()) > 3 * MIB);
        flow(&mut path, now, MIB, long, rtt);
        assert_eq!(u64::from(path.window()), LEAST_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_measured_in_less_than_a_round_trip_or_without_one() {
        let (mut path, start) = (Path::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let rtt = || Some(Duration::from_millis(50));
        assert!(!path.measure(start, rtt));
        path.moved(1 << 20);
        assert!(!path.measure(at(1), || unreachable!("too early to ask")));
        assert!(!path.measure(at(49), rtt));
        assert!(!path.measure(at(60), || None));
        assert_eq!(u64::from(path.window()), LEAST_WINDOW);
        assert!(path.measure(at(100), rtt));
        assert_eq!(u64::from(path.window()), 2 * MIB);
    }
}

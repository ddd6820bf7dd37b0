//! The liveness of a connection, as a state machine over time.
//!
//! It decides when to send a Ping, and when a silent remote is gone.

use std::time::Duration;

use tokio::time::Instant;

use super::PeerConfig;
use crate::quantiles::Quantiles;
use crate::time::{after, part};

/// How many Pings are granted at once at the start of a connection.
const PING_BURST: u64 = 5;

/// A remote earns one more Ping each time this has passed.
///
/// It is less than a second because the remote's clock and timers may run faster than ours, by up
/// to a tenth.
const PING_EARNED: Duration = Duration::from_millis(900);

/// The minimum time between requested Pings.
const PING_SPACING: Duration = Duration::from_secs(1);

/// The next step of the ping loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send a Ping now.
    SendPing,
    /// The remote is gone: it was silent for this long.
    TimedOut(Duration),
    /// Poll again at this time.
    WaitUntil(Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    /// None is in flight.
    Idle,
    /// One waits to be written.
    Queued { since: Instant },
    /// One was written at this time and not answered yet.
    InFlight { since: Instant },
}

/// The liveness of one connection.
///
/// The remote counts as gone when a Ping and the last received byte are both as old as the timeout.
/// While this side pauses reading, no time counts.
///
/// At most one Ping is in flight, unless this side has paused reading since it was sent. Its Pong
/// may then wait behind data that we have not read yet, and so may the remote's Ping to us.
/// Meanwhile we send a Ping each half interval, so that the remote, which may receive nothing else
/// from us, sees that we are alive. While earlier Pings are outstanding, a measured round trip can
/// be too short.
#[derive(Debug)]
pub(crate) struct Liveness {
    interval: Duration,
    timeout: Duration,
    ping: Ping,
    last_byte: Instant,
    paused: bool,
    /// Whether reading has paused since the last Ping that awaits its Pong.
    held_up: bool,
    /// When the last Ping was queued, or the peer started.
    pinged: Instant,
    /// Whether a caller waits for a round trip now.
    wanted: bool,
    rtt: Option<Duration>,
    round_trips: Quantiles,
    last_pong: Option<Instant>,
}

impl Liveness {
    pub(crate) fn new(config: &PeerConfig, now: Instant) -> Self {
        Self {
            // Remotes grant one Ping a second.
            interval: config.ping_interval().max(PING_SPACING),
            // At zero the ping loop would never sleep.
            timeout: config.liveness_timeout().max(Duration::from_millis(1)),
            ping: Ping::Idle,
            last_byte: now,
            paused: false,
            held_up: false,
            pinged: now,
            wanted: false,
            rtt: None,
            round_trips: Quantiles::default(),
            last_pong: None,
        }
    }

    /// Bytes arrived.
    pub(crate) fn on_bytes(&mut self, now: Instant) {
        self.last_byte = now;
    }

    /// Notes that this side pauses or resumes reading.
    ///
    /// Returns whether to [`poll`](Self::poll) again at once, since the next Ping is due earlier
    /// now.
    pub(crate) fn on_pause(&mut self, paused: bool, now: Instant) -> bool {
        self.paused = paused;
        self.last_byte = now;
        !std::mem::replace(&mut self.held_up, true) && self.ping != Ping::Idle
    }

    /// The queued Ping was handed to the socket.
    pub(crate) fn on_ping_written(&mut self, now: Instant) {
        if let Ping::Queued { .. } = self.ping {
            self.ping = Ping::InFlight { since: now };
        }
    }

    /// Whether a Ping is on its way.
    pub(crate) fn awaits_pong(&self) -> bool {
        self.ping != Ping::Idle
    }

    /// Notes that a Pong arrived; an unsolicited one is ignored.
    ///
    /// A Pong can be read before the write loop, which hands over many frames at once, notes that
    /// the Ping was written. Returns whether to [`poll`](Self::poll) again at once, since the next
    /// Ping is overdue.
    pub(crate) fn on_pong(&mut self, now: Instant) -> bool {
        let (Ping::Queued { since } | Ping::InFlight { since }) = self.ping else {
            return false;
        };
        let rtt = now.saturating_duration_since(since);
        self.rtt = Some(rtt);
        self.round_trips.record(rtt);
        self.last_pong = Some(now);
        self.wanted = false;
        self.ping = Ping::Idle;
        now >= after(self.pinged, self.interval)
    }

    /// Asks for a Ping before its time.
    ///
    /// If the last one was answered less than a second ago, its round trip is returned instead,
    /// because remotes accept one Ping a second.
    pub(crate) fn want_ping(&mut self, now: Instant) -> Option<Duration> {
        let recent = self
            .last_pong
            .is_some_and(|at| now < after(at, PING_SPACING));
        self.wanted |= !recent;
        self.rtt.filter(|_| recent)
    }

    /// The last measured round trip.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// How long the current Ping has been unanswered.
    pub(crate) fn unanswered(&self, now: Instant) -> Option<Duration> {
        match self.ping {
            Ping::Idle => None,
            Ping::Queued { since } | Ping::InFlight { since } => {
                Some(now.saturating_duration_since(since))
            }
        }
    }

    /// The median and the 99th percentile of all round trips.
    pub(crate) fn round_trips(&self) -> [Option<Duration>; 2] {
        [50, 99].map(|percent| self.round_trips.percent(percent))
    }

    /// Returns the next action at `now`.
    pub(crate) fn poll(&mut self, now: Instant) -> Action {
        let half = part(self.interval, 2).max(PING_SPACING);
        let (next, repeat) = (after(self.pinged, self.interval), after(self.pinged, half));
        let look = match self.ping {
            Ping::Idle if self.wanted || now >= next => {
                self.wanted = false;
                self.held_up = self.paused;
                self.pinged = now;
                self.ping = Ping::Queued { since: now };
                return Action::SendPing;
            }
            Ping::Idle => next,
            // A write that hangs has a timeout of its own.
            Ping::Queued { .. } if self.held_up => after(now, half.min(self.timeout)),
            Ping::Queued { .. } => after(now, self.timeout),
            Ping::InFlight { since } => {
                let end = after(since.max(self.last_byte), self.timeout);
                if !self.paused && now >= end {
                    return Action::TimedOut(self.timeout);
                }
                if self.held_up && now >= repeat {
                    self.pinged = now;
                    return Action::SendPing;
                }
                match (self.paused, self.held_up) {
                    (true, _) => repeat,
                    (false, true) => repeat.min(end),
                    (false, false) => end,
                }
            }
        };
        // A Pong that comes before the next Ping is due does not wake the ping loop.
        Action::WaitUntil(if now < next { look.min(next) } else { look })
    }
}

/// Bounds the Pings that a remote may send.
///
/// A remote that pings once a second by its own clock is within the bound, however our pauses or
/// the path bunch its Pings: at any time it has sent at most one for each second since the
/// handshake, plus one. A lower cap would be wrong, since buffers on the way, including the
/// remote's own, may hold Pings back for as long as the connection lives.
///
/// A remote gains nothing by saving up Pings: over the connection's life they cost no more than if
/// it had sent them in time. Their Pongs are only a count until they are written, one batch at a
/// time.
#[derive(Debug)]
pub(crate) struct PingLimiter {
    since: Instant,
    admitted: u64,
}

impl PingLimiter {
    /// `since` is the time of the handshake, before which no Ping was sent.
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, admitted: 0 }
    }

    /// Counts one Ping. Returns false if it is one too many.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since).as_millis();
        let earned = u64::try_from(elapsed / PING_EARNED.as_millis()).unwrap_or(u64::MAX);
        let admitted = self.admitted < earned.saturating_add(PING_BURST);
        self.admitted = self.admitted.saturating_add(1);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> (Liveness, Instant) {
        let now = Instant::now();
        (Liveness::new(&PeerConfig::default(), now), now)
    }

    #[tokio::test(start_paused = true)]
    async fn pings_every_interval_while_answered() {
        let (mut liveness, start) = start();
        assert_eq!(liveness.poll(start), Action::WaitUntil(start + 15 * SECOND));
        for round in 1..4u32 {
            let now = start + 15 * SECOND * round;
            assert_eq!(liveness.poll(now), Action::SendPing);
            liveness.on_ping_written(now);
            liveness.on_bytes(now + SECOND);
            liveness.on_pong(now + SECOND);
            assert_eq!(liveness.rtt(), Some(SECOND));
            assert_eq!(
                liveness.poll(now + SECOND),
                Action::WaitUntil(now + 15 * SECOND)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_remote_times_out_and_one_that_sends_does_not() {
        let (mut liveness, start) = start();
        let pinged = start + 15 * SECOND;
        assert_eq!(liveness.unanswered(pinged), None);
        assert_eq!(liveness.poll(pinged), Action::SendPing);
        liveness.on_ping_written(pinged);
        liveness.on_bytes(pinged + 10 * SECOND);
        let unanswered = liveness.unanswered(pinged + 10 * SECOND);
        assert_eq!(unanswered, Some(10 * SECOND));
        let end = pinged + 25 * SECOND;
        assert_eq!(liveness.poll(pinged + 15 * SECOND), Action::WaitUntil(end));
        assert_eq!(liveness.poll(end), Action::TimedOut(15 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_ours_does_not_count() {
        let (mut liveness, start) = start();
        let pinged = start + 15 * SECOND;
        assert_eq!(liveness.poll(pinged), Action::SendPing);
        liveness.on_ping_written(pinged);
        liveness.on_pause(true, pinged + SECOND);
        assert_eq!(liveness.poll(pinged + 60 * SECOND), Action::SendPing);
        assert!(matches!(
            liveness.poll(pinged + 60 * SECOND),
            Action::WaitUntil(_)
        ));
        liveness.on_pause(false, pinged + 61 * SECOND);
        let end = pinged + 76 * SECOND;
        let before = liveness.poll(end - SECOND);
        assert!(!matches!(before, Action::TimedOut(_)), "{before:?}");
        assert_eq!(liveness.poll(end), Action::TimedOut(15 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_ours_repeats_an_unanswered_ping_each_half_interval() {
        let (mut liveness, start) = start();
        let pinged = start + 15 * SECOND;
        assert_eq!(liveness.poll(pinged), Action::SendPing);
        liveness.on_ping_written(pinged);
        assert!(liveness.on_pause(true, pinged + SECOND));
        assert!(!liveness.on_pause(false, pinged + 2 * SECOND));
        let repeat = pinged + Duration::from_millis(7500);
        let wait = Action::WaitUntil(repeat);
        assert_eq!(liveness.poll(pinged + 2 * SECOND), wait);
        assert_eq!(liveness.poll(repeat), Action::SendPing);
        // The answer to the first one; the next Ping keeps its distance from the last one.
        liveness.on_pong(pinged + 10 * SECOND);
        assert_eq!(liveness.rtt(), Some(10 * SECOND));
        let next = Action::WaitUntil(repeat + 15 * SECOND);
        assert_eq!(liveness.poll(pinged + 10 * SECOND), next);
    }

    #[tokio::test(start_paused = true)]
    async fn times_of_any_length_mean_never() {
        let config = PeerConfig::default()
            .with_ping_interval(Duration::MAX)
            .with_liveness_timeout(Duration::MAX);
        let now = Instant::now();
        let mut liveness = Liveness::new(&config, now);
        assert!(matches!(liveness.poll(now), Action::WaitUntil(_)));
        liveness.want_ping(now);
        assert_eq!(liveness.poll(now), Action::SendPing);
        liveness.on_ping_written(now);
        let later = now + 1_000_000 * SECOND;
        assert!(matches!(liveness.poll(later), Action::WaitUntil(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pong_may_be_read_before_the_ping_is_noted_as_written() {
        let (mut liveness, start) = start();
        let pinged = start + 15 * SECOND;
        assert_eq!(liveness.poll(pinged), Action::SendPing);
        liveness.on_bytes(pinged);
        liveness.on_pong(pinged);
        liveness.on_ping_written(pinged);
        assert_eq!(liveness.rtt(), Some(Duration::ZERO));
        assert_eq!(
            liveness.poll(pinged),
            Action::WaitUntil(pinged + 15 * SECOND)
        );
        assert_eq!(liveness.poll(pinged + 15 * SECOND), Action::SendPing);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unsolicited_pong_is_ignored() {
        let (mut liveness, start) = start();
        liveness.on_pong(start + SECOND);
        assert_eq!(liveness.rtt(), None);
        assert_eq!(
            liveness.poll(start + SECOND),
            Action::WaitUntil(start + 15 * SECOND)
        );
    }

    /// How many Pings at `now` pass, up to a million.
    fn pass(limiter: &mut PingLimiter, now: Instant) -> usize {
        (0..1_000_000).take_while(|_| limiter.admit(now)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn five_pings_pass_at_the_start_and_the_sixth_does_not() {
        let now = Instant::now();
        assert_eq!(pass(&mut PingLimiter::new(now), now), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn pings_once_a_second_pass_however_long_they_were_held_back_and_by_a_faster_clock() {
        let start = Instant::now();
        for seconds in [7, 60, 600, 1_000_000] {
            let now = start + SECOND * seconds;
            let by_a_clock_five_percent_faster = seconds as usize * 105 / 100 + 1;
            let mut limiter = PingLimiter::new(start);
            assert!(pass(&mut limiter, now) > by_a_clock_five_percent_faster.min(999_998));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ten_pings_a_second_are_a_flood_as_soon_as_the_credit_is_used_up() {
        for idle in [0, 100] {
            let start = Instant::now();
            let mut limiter = PingLimiter::new(start);
            let flood = (0..1000u32)
                .take_while(|n| limiter.admit(start + SECOND * idle + SECOND / 10 * *n))
                .count();
            assert_eq!(flood, if idle == 0 { 5 } else { 130 });
        }
    }
}

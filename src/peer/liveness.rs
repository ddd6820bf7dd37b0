//! The liveness of a connection, as a state machine over time.
//!
//! The state machine decides when to send a Ping, and when a silent remote counts as gone.

use std::time::Duration;

use tokio::time::Instant;

use super::PeerConfig;
use crate::quantiles::Quantiles;
use crate::time::{after, part};

/// How many Pings a remote may send at once at the start of a connection.
const PING_BURST: u64 = 5;

/// The interval after which a remote may send one more Ping.
///
/// This is less than a second because the remote's clock and timers may run up to a tenth faster
/// than ours.
const PING_EARNED: Duration = Duration::from_millis(900);

/// The minimum time between Pings that are sent on request.
const PING_SPACING: Duration = Duration::from_secs(1);

/// The next step of the ping loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send a Ping now.
    SendPing,
    /// The remote counts as gone, because it has been silent for this long.
    TimedOut(Duration),
    /// Poll again at this time.
    WaitUntil(Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    /// No Ping is in flight.
    Idle,
    /// A Ping waits to be written.
    Queued { since: Instant },
    /// A Ping was written at this time and has not been answered.
    InFlight { since: Instant },
}

/// The liveness of one connection.
///
/// The remote counts as gone when a Ping and the last received byte are both as old as the timeout.
/// The time during which this side pauses reading does not count.
///
/// At most one Ping is in flight, unless this side has paused reading since that Ping was sent. In
/// that case the Pong, and the remote's own Pings, may be queued behind data that we have not read.
/// We therefore send a Ping every half interval, because the remote may receive nothing else from
/// us and must see that we are alive. While several Pings are outstanding, a Pong may be matched
/// with a later Ping than the one that it answers, so a measured round trip can be too short.
#[derive(Debug)]
pub(crate) struct Liveness {
    interval: Duration,
    timeout: Duration,
    ping: Ping,
    last_byte: Instant,
    paused: bool,
    /// Whether reading has paused or resumed since the Ping that awaits its Pong was queued.
    held_up: bool,
    /// When the last Ping was queued. Before the first Ping, when the peer started.
    pinged: Instant,
    /// Whether a caller has requested a Ping ahead of schedule.
    wanted: bool,
    rtt: Option<Duration>,
    round_trips: Quantiles,
    last_pong: Option<Instant>,
}

impl Liveness {
    pub(crate) fn new(config: &PeerConfig, now: Instant) -> Self {
        Self {
            // Remotes accept at most one Ping a second.
            interval: config.ping_interval().max(PING_SPACING),
            // With a timeout of zero, the ping loop would never sleep.
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

    /// Notes that bytes arrived.
    pub(crate) fn on_bytes(&mut self, now: Instant) {
        self.last_byte = now;
    }

    /// Notes that this side pauses or resumes reading.
    ///
    /// Returns whether the next Ping is now due earlier, so that the caller must
    /// [`poll`](Self::poll) again at once.
    pub(crate) fn on_pause(&mut self, paused: bool, now: Instant) -> bool {
        self.paused = paused;
        self.last_byte = now;
        !std::mem::replace(&mut self.held_up, true) && self.ping != Ping::Idle
    }

    /// Notes that the queued Ping was handed to the socket.
    pub(crate) fn on_ping_written(&mut self, now: Instant) {
        if let Ping::Queued { .. } = self.ping {
            self.ping = Ping::InFlight { since: now };
        }
    }

    /// Whether a Ping is queued or in flight.
    pub(crate) fn awaits_pong(&self) -> bool {
        self.ping != Ping::Idle
    }

    /// Notes that a Pong arrived. An unsolicited Pong is ignored.
    ///
    /// The write loop hands over many frames at once, so a Pong can be read before its Ping is
    /// recorded as written. Returns whether the next Ping is overdue, so that the caller must
    /// [`poll`](Self::poll) again at once.
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

    /// Requests a Ping ahead of schedule.
    ///
    /// If the last Ping was answered less than a second ago, none is sent, because remotes accept
    /// one Ping a second. The round trip of the last Ping is returned instead.
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
            // No timeout is needed until the Ping is written, since a write that hangs has its own
            // timeout.
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
        // Wake up when the next Ping is due, since a Pong that arrives before that does not wake
        // the ping loop.
        Action::WaitUntil(if now < next { look.min(next) } else { look })
    }
}

/// Bounds the Pings that a remote may send.
///
/// A remote that pings once a second by its own clock stays within the bound, even if its Pings
/// arrive in bursts. At any time such a remote has sent at most one Ping per second since the
/// handshake, plus one. The bound must not be lower, because buffers on the path, including the
/// remote's own, may delay Pings for the connection's whole lifetime.
///
/// A remote gains nothing by saving up Pings, because they cost this side no more than if they had
/// been sent on time: pending Pongs are only a count, and are written one batch at a time.
#[derive(Debug)]
pub(crate) struct PingLimiter {
    since: Instant,
    admitted: u64,
}

impl PingLimiter {
    /// `since` is the time of the handshake. No Ping can be older than that.
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, admitted: 0 }
    }

    /// Counts one Ping. Returns false if this Ping exceeds the bound.
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
    async fn a_silent_remote_times_out_and_a_sending_one_does_not() {
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
    async fn our_own_pause_does_not_count() {
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
    async fn during_our_own_pause_an_unanswered_ping_repeats_each_half_interval() {
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
        // This Pong answers the first Ping. The next Ping is due one interval after the last Ping
        // that was sent.
        liveness.on_pong(pinged + 10 * SECOND);
        assert_eq!(liveness.rtt(), Some(10 * SECOND));
        let next = Action::WaitUntil(repeat + 15 * SECOND);
        assert_eq!(liveness.poll(pinged + 10 * SECOND), next);
    }

    #[tokio::test(start_paused = true)]
    async fn very_long_times_mean_never() {
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

    /// Returns how many Pings the limiter admits at `now`, up to a million.
    fn pass(limiter: &mut PingLimiter, now: Instant) -> usize {
        (0..1_000_000).take_while(|_| limiter.admit(now)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn five_pings_pass_at_the_start_and_the_sixth_does_not() {
        let now = Instant::now();
        assert_eq!(pass(&mut PingLimiter::new(now), now), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_a_second_passes_even_if_delayed_or_by_a_faster_clock() {
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

//! When to send a Ping and when to give a silent remote up, as a state machine over time.

use std::time::Duration;

use tokio::time::Instant;

use super::PeerConfig;
use super::deadline::after;

/// How many Pings may come in one burst; one more is granted each second.
const PING_BURST: u32 = 5;

/// Pings that are asked for keep at least this distance.
const PING_SPACING: Duration = Duration::from_secs(1);

/// What the ping loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send a Ping now.
    SendPing,
    /// The remote is gone.
    TimedOut,
    /// Look again at this time.
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
/// The remote counts as gone when a Ping is as old as the timeout and no byte arrived for as long;
/// while this side pauses reading, nothing counts.
///
/// At most one Ping is in flight, unless this side paused reading since it was sent. Its Pong may
/// then wait behind everything that we do not read yet, and so does the remote's Ping to us.
/// Meanwhile we send a Ping each half interval: the remote, which may hear nothing else from us,
/// sees that we are alive. As long as earlier Pings are outstanding, a measured round trip can be
/// too short.
#[derive(Debug)]
pub(crate) struct Liveness {
    interval: Duration,
    timeout: Duration,
    ping: Ping,
    last_byte: Instant,
    paused: bool,
    /// Reading paused since the last Ping that awaits its Pong.
    held_up: bool,
    /// When the last Ping was queued, or the peer started.
    pinged: Instant,
    /// Somebody waits for a round trip now.
    wanted: bool,
    rtt: Option<Duration>,
    last_pong: Option<Instant>,
}

impl Liveness {
    pub(crate) fn new(config: &PeerConfig, now: Instant) -> Self {
        Self {
            interval: config.ping_interval,
            // Not zero, with which the ping loop would never sleep.
            timeout: config.liveness_timeout.max(Duration::from_millis(1)),
            ping: Ping::Idle,
            last_byte: now,
            paused: false,
            held_up: false,
            pinged: now,
            wanted: false,
            rtt: None,
            last_pong: None,
        }
    }

    /// Bytes arrived.
    pub(crate) fn on_bytes(&mut self, now: Instant) {
        self.last_byte = now;
    }

    /// Reading stops, or goes on, by our own choice. Returns whether to [`poll`](Self::poll) again
    /// at once, since the next Ping is due earlier now.
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

    /// A Pong arrived. One that answers nothing is ignored. The answer to a Ping can be read before
    /// the write loop, which hands many frames over at once, gets to say that it was written.
    pub(crate) fn on_pong(&mut self, now: Instant) {
        if let Ping::Queued { since } | Ping::InFlight { since } = self.ping {
            self.rtt = Some(now - since);
            self.last_pong = Some(now);
            self.wanted = false;
            self.ping = Ping::Idle;
        }
    }

    /// Asks for a Ping before its time. If the last one was answered less than a second ago, it
    /// stands for this one, because remotes grant one Ping a second; its round trip is returned.
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

    /// What to do at `now`.
    pub(crate) fn poll(&mut self, now: Instant) -> Action {
        let half = (self.interval / 2).max(PING_SPACING);
        let (next, repeat) = (after(self.pinged, self.interval), after(self.pinged, half));
        match self.ping {
            Ping::Idle if self.wanted || now >= next => {
                self.wanted = false;
                self.held_up = self.paused;
                self.pinged = now;
                self.ping = Ping::Queued { since: now };
                Action::SendPing
            }
            Ping::Idle => Action::WaitUntil(next),
            // A write that hangs has a timeout of its own.
            Ping::Queued { .. } if self.held_up => {
                Action::WaitUntil(after(now, half.min(self.timeout)))
            }
            Ping::Queued { since } => Action::WaitUntil(after(since.max(now), self.timeout)),
            Ping::InFlight { since } => {
                let end = after(since.max(self.last_byte), self.timeout);
                if !self.paused && now >= end {
                    return Action::TimedOut;
                }
                if self.held_up && now >= repeat {
                    self.pinged = now;
                    return Action::SendPing;
                }
                Action::WaitUntil(match (self.paused, self.held_up) {
                    (true, _) => repeat,
                    (false, true) => repeat.min(end),
                    (false, false) => end,
                })
            }
        }
    }
}

/// Bounds the Pings that a remote may send.
#[derive(Debug)]
pub(crate) struct PingLimiter {
    tokens: u32,
    refilled: Instant,
}

impl PingLimiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            tokens: PING_BURST,
            refilled: now,
        }
    }

    /// Takes a token for one Ping; false if there is none.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs();
        if elapsed > 0 {
            let gained = u32::try_from(elapsed).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(gained).min(PING_BURST);
            self.refilled += Duration::from_secs(elapsed);
        }
        let admitted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
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
        assert_eq!(liveness.poll(pinged), Action::SendPing);
        liveness.on_ping_written(pinged);
        liveness.on_bytes(pinged + 10 * SECOND);
        let end = pinged + 25 * SECOND;
        assert_eq!(liveness.poll(pinged + 15 * SECOND), Action::WaitUntil(end));
        assert_eq!(liveness.poll(end), Action::TimedOut);
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
        assert_ne!(liveness.poll(end - SECOND), Action::TimedOut);
        assert_eq!(liveness.poll(end), Action::TimedOut);
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

    #[tokio::test(start_paused = true)]
    async fn five_pings_pass_and_the_sixth_does_not() {
        let now = Instant::now();
        let mut limiter = PingLimiter::new(now);
        assert!((0..5).all(|_| limiter.admit(now)));
        assert!(!limiter.admit(now));
        assert!(limiter.admit(now + SECOND));
        assert!(!limiter.admit(now + SECOND));
        assert!((0..5).all(|_| limiter.admit(now + 100 * SECOND)));
        assert!(!limiter.admit(now + 100 * SECOND));
    }
}

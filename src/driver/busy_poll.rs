//! Decides when the read loop polls for a while before it sleeps.

use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::time::Instant;

use crate::time::part;

/// Number of polls before the read loop sleeps.
///
/// An idle runtime takes about half a microsecond per turn. All turns together cost about as much
/// as putting a processor to sleep and waking it up.
const TURNS: u32 = 64;

/// Polling may be worth its cost if messages follow each other within this interval.
const QUICK: Duration = Duration::from_micros(200);

/// Number of quick messages before polling is tried for the first time.
const FIRST_REST: u32 = 8;
/// Maximum number of quick messages between failed tries of polling.
const LONGEST_REST: u32 = 1024;

/// Credit at the start of a try.
///
/// Each message that polling finds adds one; each message that it misses subtracts one.
const START: u32 = 8;
/// The maximum credit, at which a try has succeeded.
const SUCCESS: u32 = 16;

/// Whether this machine has several processors. With only one, polling would keep all other tasks
/// from running.
static WORTHWHILE: LazyLock<bool> =
    LazyLock::new(|| available_parallelism().is_ok_and(|processors| processors.get() > 1));

/// Decides whether to poll for the next message, or to sleep until it arrives.
///
/// Waking a sleeping processor takes longer than passing a small message through both ends, and
/// costs as much processor time as [`TURNS`] polls. So where single messages go back and forth
/// quickly, polling is faster and cheaper if it finds most of them. It finds them only while both
/// ends poll at the same time, so a try lasts several messages. Tries become rare if polling does
/// not make messages arrive sooner, for example because the remote takes longer to answer than the
/// polling lasts, or because it needs this very processor.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    phase: Phase,
    /// Length of the next rest, in quick messages.
    rest: u32,
    last: Instant,
    /// Average interval between quick messages for which the read loop slept.
    slept: Duration,
    /// Whether the last arrival was not exactly one message.
    bulk: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Sleeps for this number of further quick messages.
    Resting(u32),
    /// Polls until this credit is used up.
    Trying(u32),
}

impl BusyPoll {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Resting(FIRST_REST),
            rest: FIRST_REST,
            last: now,
            slept: QUICK,
            bulk: false,
        }
    }

    /// Returns the number of polls before the next sleep.
    pub(crate) fn turns(&self) -> u32 {
        match self.phase {
            Phase::Trying(_) if !self.bulk && *WORTHWHILE => TURNS,
            _ => 0,
        }
    }

    /// Records that the last arrival was not exactly one message.
    ///
    /// Neither a large message nor several messages at once gain from being read early.
    pub(crate) fn on_bulk(&mut self) {
        self.bulk = true;
    }

    /// Records that a message's first bytes arrived; `found` tells whether polling found them.
    pub(crate) fn on_arrival(&mut self, found: bool, now: Instant) {
        let gap = now.saturating_duration_since(self.last);
        let quick = gap < QUICK && !self.bulk;
        self.last = now;
        self.bulk = false;
        if quick && matches!(self.phase, Phase::Resting(_)) {
            self.slept = part(self.slept.saturating_mul(7).saturating_add(gap), 8);
        }
        let gained = found && gap < self.slept;
        self.phase = match self.phase {
            _ if !quick => Phase::Resting(self.rest),
            Phase::Resting(left) if left > 1 => Phase::Resting(left - 1),
            Phase::Resting(_) => Phase::Trying(START),
            Phase::Trying(credit) if gained => Phase::Trying(self.more(credit)),
            Phase::Trying(credit) if credit > 1 => Phase::Trying(credit - 1),
            Phase::Trying(_) => {
                self.rest = (self.rest * 2).min(LONGEST_REST);
                Phase::Resting(self.rest)
            }
        };
    }

    fn more(&mut self, credit: u32) -> u32 {
        if credit + 1 >= SUCCESS {
            self.rest = FIRST_REST;
        }
        (credit + 1).min(SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link with a fixed interval between messages, which is halved if polling finds them.
    struct Link {
        poll: BusyPoll,
        now: Instant,
        every: Duration,
        looked: u32,
    }

    impl Link {
        fn new(micros: u64) -> Self {
            let now = Instant::now();
            Self {
                poll: BusyPoll::new(now),
                now,
                every: Duration::from_micros(micros),
                looked: 0,
            }
        }

        /// Receives messages; `findable` tells whether polling finds them.
        fn receive(&mut self, count: u32, findable: bool) {
            for _ in 0..count {
                let looks = matches!(self.poll.phase, Phase::Trying(_)) && !self.poll.bulk;
                let found = looks && findable;
                self.looked += u32::from(looks);
                self.now += if found { self.every / 2 } else { self.every };
                self.poll.on_arrival(found, self.now);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn polls_after_some_quick_messages_and_continues_while_it_helps() {
        let mut link = Link::new(80);
        link.receive(FIRST_REST, true);
        assert_eq!((link.looked, link.poll.turns() > 0), (0, *WORTHWHILE));
        link.receive(1000, true);
        assert_eq!(link.looked, 1000);
        // Polling misses one message in three, and is still worth its cost.
        for _ in 0..100 {
            link.receive(2, true);
            link.receive(1, false);
        }
        assert_eq!(link.looked, 1300);
    }

    #[tokio::test(start_paused = true)]
    async fn unsuccessful_polling_becomes_rare() {
        let mut link = Link::new(80);
        link.receive(100_000, false);
        let tries = link.looked / START;
        assert!(tries < 110, "{tries}");
        // When polling helps again, tries become frequent again.
        link.receive(LONGEST_REST, true);
        link.receive(SUCCESS, true);
        assert_eq!(link.poll.rest, FIRST_REST);
    }

    #[tokio::test(start_paused = true)]
    async fn finding_messages_later_than_sleeping_would_is_no_success() {
        let mut link = Link::new(20);
        link.receive(1000, false);
        while matches!(link.poll.phase, Phase::Resting(_)) {
            link.receive(1, false);
        }
        let before = link.looked;
        link.every = Duration::from_micros(150);
        link.receive(2 * START, true);
        assert_eq!(link.looked - before, START);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_messages_and_bulk_are_not_polled_for() {
        let mut link = Link::new(200);
        link.receive(1000, true);
        assert_eq!(link.looked, 0);
        link.every = Duration::from_micros(20);
        for _ in 0..1000 {
            link.poll.on_bulk();
            link.receive(1, true);
        }
        assert_eq!(link.looked, 0);
        link.receive(FIRST_REST + 1, true);
        assert_eq!(link.looked, 1);
        link.poll.on_bulk();
        assert_eq!(link.poll.turns(), 0);
    }
}

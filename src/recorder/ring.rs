//! A bounded ring of the last entries.

use std::time::Duration;

use super::RecordedEvent;
use super::hold::{Hold, NEAR};
use super::packed::Packed;

/// How many entries are kept.
pub(super) const CAPACITY: usize = 1000;

/// The last [`CAPACITY`] entries. The memory grows only until the ring is full.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: Vec<Packed>,
    /// The index of the oldest entry once the ring is full. The next entry replaces it.
    oldest: usize,
    forgotten: u64,
}

/// An event that concerns a Ping.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PingNote {
    /// Our Ping was passed to the socket.
    Sent,
    /// Our Ping was answered, after this time.
    Answered(Duration),
    /// The remote's Ping arrived.
    Received,
}

impl Ring {
    /// Adds entries.
    pub(super) fn extend(&mut self, entries: &[Packed]) {
        let room = CAPACITY.saturating_sub(self.entries.len());
        let (fit, others) = entries.split_at(room.min(entries.len()));
        self.entries.extend_from_slice(fit);
        for entry in others {
            self.replace_oldest(*entry);
        }
    }

    fn replace_oldest(&mut self, entry: Packed) {
        if let Some(oldest) = self.entries.get_mut(self.oldest) {
            *oldest = entry;
        }
        self.oldest = match self.oldest + 1 {
            CAPACITY => 0,
            next => next,
        };
        self.forgotten = self.forgotten.saturating_add(1);
    }

    /// Adds what happened to a Ping. Consecutive Pings share an entry.
    pub(super) fn ping(&mut self, micros: u64, note: PingNote) {
        let pings = |before: &&mut Packed| before.is_pings();
        let (folded, at) = match self.latest().next().filter(pings) {
            Some(newest) => match with_ping(newest.entry().event, note) {
                Some(event) => {
                    let at = micros.max(newest.at());
                    *newest = Packed::new(event);
                    newest.stamp(at);
                    return;
                }
                // The counter of the newest entry is full, so the Ping starts another one.
                None => (with_ping(NO_PINGS, note), micros),
            },
            None => (with_ping(NO_PINGS, note), micros),
        };
        if let Some(event) = folded {
            let mut entry = Packed::new(event);
            entry.stamp(at);
            self.extend(&[entry]);
        }
    }

    /// Adds a wait for a quota, if possible to an entry of earlier waits.
    pub(super) fn held(&mut self, micros: u64, hold: Hold) {
        let mut near = self.latest().take(NEAR);
        if let Some(earlier) = near.find(|entry| hold.follows(entry, micros))
            && let Some(both) = hold.added_to(earlier, micros)
        {
            *earlier = both;
            return;
        }
        drop(near);
        self.extend(&[hold.alone(micros)]);
    }

    /// Returns the entries, beginning with the one added last.
    fn latest(&mut self) -> impl Iterator<Item = &mut Packed> {
        let (newer, older) = self.entries.split_at_mut(self.oldest);
        newer.iter_mut().rev().chain(older.iter_mut().rev())
    }

    /// Returns the entries sorted by time, and the number of earlier entries that were discarded.
    /// In the ring the entries are not sorted, because the loops of a connection hand them over at
    /// different times.
    pub(super) fn snapshot(&self) -> (Vec<Packed>, u64) {
        let (newer, older) = self
            .entries
            .split_at_checked(self.oldest)
            .unwrap_or((&self.entries, &[]));
        let mut entries = [older, newer].concat();
        entries.sort_by_key(Packed::at);
        (entries, self.forgotten)
    }
}

const NO_PINGS: RecordedEvent = RecordedEvent::Pings {
    sent: 0,
    answered: 0,
    received: 0,
    round_trip: Duration::ZERO,
    longest: Duration::ZERO,
};

/// Adds a Ping to an entry of Pings; `None` if the entry's counter is full.
fn with_ping(pings: RecordedEvent, note: PingNote) -> Option<RecordedEvent> {
    let RecordedEvent::Pings {
        mut sent,
        mut answered,
        mut received,
        mut round_trip,
        mut longest,
    } = pings
    else {
        return None;
    };
    let count = match note {
        PingNote::Sent => &mut sent,
        PingNote::Answered(_) => &mut answered,
        PingNote::Received => &mut received,
    };
    *count = count.checked_add(1)?;
    if let PingNote::Answered(time) = note {
        (round_trip, longest) = (time, longest.max(time));
    }
    Some(RecordedEvent::Pings {
        sent,
        answered,
        received,
        round_trip,
        longest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::HoldCause::{self, ReceiveQuota, SendQuota};

    fn received(code: u64, micros: u64) -> Packed {
        let mut entry = Packed::new(RecordedEvent::Received {
            protocol: 0,
            code,
            size: 1,
            unread: 1,
        });
        entry.stamp(micros);
        entry
    }

    fn codes(ring: &Ring) -> Vec<u64> {
        let code = |entry: &Packed| match entry.entry().event {
            RecordedEvent::Received { code, .. } => code,
            other => panic!("{other:?}"),
        };
        ring.snapshot().0.iter().map(code).collect()
    }

    #[test]
    fn the_last_thousand_are_kept_however_they_are_added() {
        for at_once in [1, 7, 999, 1000, 1001, 2500] {
            let mut ring = Ring::default();
            let all: Vec<_> = (0..2500).map(|n| received(n, n)).collect();
            for some in all.chunks(at_once) {
                ring.extend(some);
            }
            assert_eq!(codes(&ring), (1500..2500).collect::<Vec<_>>());
            assert_eq!(ring.snapshot().1, 1500);
        }
    }

    #[test]
    fn it_grows_as_needed_and_never_beyond_its_capacity() {
        let mut ring = Ring::default();
        assert_eq!(ring.entries.capacity(), 0);
        ring.extend(&[received(0, 0)]);
        assert!(ring.entries.capacity() <= 8);
        for n in 1..10_000 {
            ring.extend(&[received(n, n)]);
        }
        assert_eq!(ring.entries.len(), CAPACITY);
        assert!(ring.entries.capacity() <= 1024);
    }

    #[test]
    fn entries_are_returned_in_the_order_of_their_times() {
        let mut ring = Ring::default();
        ring.extend(&[received(1, 20), received(2, 20), received(0, 10)]);
        assert_eq!(codes(&ring), [0, 1, 2]);
    }

    #[test]
    fn pings_are_one_entry_until_something_else_happens() {
        let mut ring = Ring::default();
        let ms = Duration::from_millis;
        for n in 0..3000u64 {
            ring.ping(3 * n, PingNote::Sent);
            ring.ping(3 * n + 1, PingNote::Answered(ms(1 + n % 7)));
            ring.ping(3 * n + 2, PingNote::Received);
        }
        let folded = RecordedEvent::Pings {
            sent: 3000,
            answered: 3000,
            received: 3000,
            round_trip: ms(1 + 2999 % 7),
            longest: ms(7),
        };
        let (entries, forgotten) = ring.snapshot();
        assert_eq!((entries.len(), forgotten), (1, 0));
        assert_eq!(entries[0].entry().event, folded);
        assert_eq!(entries[0].at(), 8999);
        ring.extend(&[received(0, 9000)]);
        ring.ping(9001, PingNote::Received);
        assert_eq!(ring.snapshot().0.len(), 3);
    }

    fn hold(protocol: u16, cause: HoldCause, time: u64) -> Hold {
        let time = Duration::from_micros(time);
        Hold {
            protocol,
            cause,
            time,
        }
    }

    /// Returns each wait entry's protocol, cause, messages, total wait and longest wait in µs.
    fn holds(ring: &Ring) -> Vec<(u16, HoldCause, u16, u128, u128)> {
        let held = |entry: &Packed| match entry.entry().event {
            RecordedEvent::Held {
                protocol,
                cause,
                messages,
                total,
                longest,
            } => Some((
                protocol,
                cause,
                messages,
                total.as_micros(),
                longest.as_micros(),
            )),
            _ => None,
        };
        ring.snapshot().0.iter().filter_map(held).collect()
    }

    #[test]
    fn a_flood_of_waits_between_messages_takes_few_places() {
        let mut ring = Ring::default();
        for n in 0..10_000 {
            ring.extend(&[received(n, 1000 * n)]);
            ring.held(1000 * n + 1, hold(0, ReceiveQuota, 900));
            ring.held(1000 * n + 2, hold(1, SendQuota, 100 + n % 2));
        }
        assert_eq!(ring.entries.len(), CAPACITY);
        assert!((2..=34).contains(&holds(&ring).len()), "{:?}", holds(&ring));
        let (protocol, cause, messages, total, longest) = holds(&ring)[0];
        assert_eq!((protocol, cause, longest), (0, ReceiveQuota, 900));
        assert!(messages > 60);
        assert_eq!(total, 900 * u128::from(messages));
    }

    #[test]
    fn waits_are_apart_if_they_differ_in_quota_or_lie_far_apart() {
        let mut ring = Ring::default();
        let waits = [
            (1, hold(0, ReceiveQuota, 5)),
            (2, hold(0, ReceiveQuota, 7)),
            (3, hold(1, ReceiveQuota, 1)),
            (4, hold(0, SendQuota, 2)),
            (10_000_002, hold(0, ReceiveQuota, 6)),
            (20_000_003, hold(0, ReceiveQuota, 3)),
        ];
        for (at, wait) in waits {
            ring.held(at, wait);
        }
        let expected = [
            (1, ReceiveQuota, 1, 1, 1),
            (0, SendQuota, 1, 2, 2),
            (0, ReceiveQuota, 3, 18, 7),
            (0, ReceiveQuota, 1, 3, 3),
        ];
        assert_eq!(holds(&ring), expected);
    }

    #[test]
    fn waits_beyond_what_one_entry_counts_begin_another() {
        let mut ring = Ring::default();
        for n in 0..u64::from(u16::MAX) + 10 {
            ring.held(n, hold(0, SendQuota, 1));
        }
        let (most, rest) = (u16::MAX, 10);
        let expected = [
            (0, SendQuota, most, u128::from(most), 1),
            (0, SendQuota, rest, u128::from(rest), 1),
        ];
        assert_eq!(holds(&ring), expected);
    }

    #[test]
    fn pings_are_folded_in_a_full_ring_and_beyond_the_counter_of_an_entry() {
        let mut ring = Ring::default();
        for n in 0..1500 {
            ring.extend(&[received(n, n)]);
        }
        for n in 0..u64::from(u16::MAX) + 10 {
            ring.ping(2000 + n, PingNote::Received);
        }
        let (entries, forgotten) = ring.snapshot();
        assert_eq!((entries.len(), forgotten), (CAPACITY, 502));
        let count = |entry: &Packed| match entry.entry().event {
            RecordedEvent::Pings { received, .. } => received,
            other => panic!("{other:?}"),
        };
        let counts: Vec<_> = entries.iter().rev().take(2).map(count).collect();
        assert_eq!(counts, [10, u16::MAX]);
    }
}

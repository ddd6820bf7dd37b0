//! How attempts and sightings count for an address.

use super::*;

#[test]
fn an_attempt_records_its_time() {
    let mut book = book();
    add(&mut book, &node(1), start());
    assert_eq!(book.entry(&id(&node(1))).unwrap().last_attempt(), None);
    assert!(book.attempt(&id(&node(1)), start() + HOUR));
    let entry = book.entry(&id(&node(1))).unwrap();
    assert_eq!(entry.last_attempt(), Some(start() + HOUR));
    assert!(!book.attempt(&id(&node(2)), start()));
}

#[test]
fn a_connection_refreshes_only_a_sighting_that_is_20_minutes_old() {
    let mut book = book();
    add(&mut book, &node(1), start());
    let seen_at = |book: &mut Book, now| {
        assert!(book.connected(&id(&node(1)), now));
        book.entry(&id(&node(1))).unwrap().last_seen()
    };
    assert_eq!(seen_at(&mut book, start() + 20 * MINUTE), start());
    assert_eq!(seen_at(&mut book, start() + HOUR), start() + HOUR);
}

/// The chance is 1, or 0.01 within ten minutes of an attempt. A failed attempt divides it by 1.5.
#[test]
fn attempts_lower_the_chance_of_an_address() {
    let mut book = book();
    let id = id(&node(1));
    add(&mut book, &node(1), start());
    let chance = |book: &Book, now| book.entry(&id).unwrap().chance(now);
    assert_eq!(chance(&book, start()), 1.0);
    book.failed(&id, start());
    assert_eq!(chance(&book, start() + 10 * MINUTE), 1.0);
    assert_eq!(chance(&book, start() + MINUTE), 0.01);
    // If the clock is set back a little, nothing changes. If it is set back far, the attempt counts
    // as recorded by a wrong clock, and the chance is 1.
    assert_eq!(chance(&book, start() - 5 * MINUTE), 0.01);
    assert_eq!(chance(&book, start() - HOUR), 1.0);
    for _ in 0..2 {
        book.dial_succeeded();
        book.failed(&id, start());
    }
    let after = chance(&book, start() + HOUR);
    assert!((after - 1.0 / (1.5 * 1.5)).abs() < 1e-9, "{after}");
}

#[test]
fn an_address_is_bad_by_its_age_or_its_failures() {
    let now = start();
    let ago = |time| Some(now - time);
    let cases = [
        // last seen, attempts, last attempt, last success → bad
        (now, 0, None, None, false),
        (now, 3, ago(30 * Duration::from_secs(1)), None, false),
        (now + 5 * MINUTE, 0, None, None, false),
        (now + 30_000 * DAY, 0, None, None, false),
        (now, 3, Some(now + 30_000 * DAY), None, true),
        (now - 29 * DAY, 0, None, None, false),
        (now - 31 * DAY, 0, None, None, true),
        (now - 31 * DAY, 0, ago(Duration::from_secs(30)), None, false),
        (now, 2, ago(HOUR), None, false),
        (now, 3, ago(HOUR), None, true),
        (now, 9, ago(HOUR), ago(8 * DAY), false),
        (now, 10, ago(HOUR), ago(8 * DAY), true),
        (now, 10, ago(HOUR), ago(6 * DAY), false),
    ];
    let mut book = book();
    add(&mut book, &node(1), now);
    for (case, (seen, attempts, attempt, success, bad)) in cases.into_iter().enumerate() {
        let mut entry = book.entry(&id(&node(1))).unwrap().clone();
        entry.last_seen = seen;
        entry.attempts = attempts;
        entry.last_attempt = attempt;
        entry.last_success = success;
        assert_eq!(entry.is_bad(now), bad, "case {case}");
    }
}

/// Attempts at an address count only if some dial has succeeded between them. Otherwise three
/// rounds of dials without a network would make every untested address bad.
#[test]
fn attempts_while_offline_do_not_count() {
    let mut book = book();
    for number in 0..200 {
        add(&mut book, &node(number), start());
    }
    let ids: Vec<_> = book.entries.keys().copied().collect();
    for round in 0..10 {
        for id in &ids {
            book.failed(id, start() + round * HOUR);
        }
    }
    let later = start() + DAY;
    assert_eq!(
        book.entries().filter(|entry| entry.is_bad(later)).count(),
        0
    );

    // Once this node is online again, addresses that never answer become bad.
    for round in 0..3 {
        book.dial_succeeded();
        for id in &ids {
            book.failed(id, later + round * HOUR);
        }
    }
    let later = later + DAY;
    assert!(book.entries().all(|entry| entry.is_bad(later)));
}

//! Times that are written or read while the clock is wrong.

use super::super::nodes::{BanTarget, NodeDb, NodeDbConfig};
use super::super::rows::{self, Pending};
use super::super::{Row, Score};
use super::*;

/// A time far ahead of all others in these tests.
fn year_2100() -> SystemTime {
    SystemTime::UNIX_EPOCH + 47_482 * DAY
}

fn targets() -> [BanTarget; 2] {
    [BanTarget::Node(id(&node(1))), BanTarget::ip(ip("12.1.2.3"))]
}

/// Returns a store's rows after each target was banned at `time` for a day.
fn banned_at(time: SystemTime) -> Vec<Row> {
    let (mut book, mut nodes) = (book(), NodeDb::default());
    for target in targets() {
        nodes.ban(target, DAY, "spam", time);
    }
    let mut changes = rows::meta_rows(&book);
    let mut pending = Pending::take(&mut book, &mut nodes);
    changes.extend(pending.next(&mut book, &mut nodes, usize::MAX));
    let row = |change: super::super::Change| {
        Row::new(change.table, change.key, change.value.expect("is there"))
    };
    changes.into_iter().map(row).collect()
}

fn read_at(rows: &[Row], now: SystemTime) -> NodeDb {
    let (config, nodes) = (BookConfig::default(), NodeDbConfig::default());
    let loaded = rows::load(rows, config, nodes, Shape::default(), now, &mut rng());
    loaded.expect("rows that were written").1
}

#[test]
fn a_ban_that_a_clock_in_the_future_wrote_ends_after_its_length() {
    let mut nodes = read_at(&banned_at(year_2100()), start());
    assert_eq!(nodes.bans(start() + 23 * HOUR).count(), 2);
    assert_eq!(nodes.bans(start() + 25 * HOUR).count(), 0);
    assert_eq!(nodes.expire(start() + 23 * HOUR), 0);
    assert_eq!(nodes.expire(start() + 25 * HOUR), 2);
}

#[test]
fn a_ban_that_is_read_before_the_clock_was_set_ends_when_it_should() {
    let boot = SystemTime::UNIX_EPOCH + HOUR;
    let mut nodes = read_at(&banned_at(start()), boot);
    assert_eq!(nodes.bans(boot).count(), 2);
    // Now the clock is set to the right time.
    assert_eq!(nodes.bans(start() + 23 * HOUR).count(), 2);
    assert_eq!(nodes.expire(start() + 23 * HOUR), 0);
    assert_eq!(nodes.bans(start() + 23 * HOUR).count(), 2);
    assert_eq!(nodes.bans(start() + 25 * HOUR).count(), 0);
    assert_eq!(nodes.expire(start() + 25 * HOUR), 2);
}

#[test]
fn bans_that_have_ended_are_gone_once_they_are_read() {
    let rows = banned_at(start());
    assert_eq!(
        read_at(&rows, start() + 25 * HOUR).expire(start() + 25 * HOUR),
        0
    );
    let turned: Vec<_> = rows.iter().rev().cloned().collect();
    assert_eq!(
        read_at(&turned, start() + 25 * HOUR).expire(start() + 25 * HOUR),
        0
    );
}

#[test]
fn a_clock_that_is_set_back_does_not_prolong_a_ban() {
    let mut nodes = NodeDb::default();
    nodes.ban(targets()[0], DAY, "spam", year_2100());
    assert_eq!(nodes.bans(start()).count(), 0);
    nodes.ban(targets()[0], DAY, "spam", start());
    assert_eq!(nodes.bans(start() - 5 * MINUTE).count(), 1, "a small step");
}

#[test]
fn an_address_is_judged_by_what_happens_after_the_clock_was_corrected() {
    let mut book = book();
    add(&mut book, &node(1), year_2100());
    book.good(&node(1), year_2100()).unwrap();
    let entry = |book: &Book| book.entry(&id(&node(1))).unwrap().clone();
    assert!(!entry(&book).is_bad(start()), "it may be good");
    for round in 0..10 {
        book.dial_succeeded();
        book.failed(&id(&node(1)), start() + round * HOUR);
    }
    let entry = entry(&book);
    assert!(entry.last_seen() <= start() + 9 * HOUR);
    assert!(entry.last_success() <= Some(start() + 9 * HOUR));
    assert!(!entry.is_bad(start() + DAY) && entry.is_bad(start() + 9 * DAY));
}

#[test]
fn the_fading_part_of_a_score_from_the_future_is_zero() {
    let mut score = Score::default();
    score.add(10, 90, year_2100());
    assert_eq!(score.value(start()), 10, "what stays, stays");
}

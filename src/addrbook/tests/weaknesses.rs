//! Defects that were found in an address book of this kind elsewhere, one test for each, which
//! fails on the behaviour found there.

use std::sync::Arc;

use super::super::nodes::NodeDbConfig;
use super::super::rows::{self, BadRows, Pending};
use super::super::{Added, Promotion, Row, Source, Table};
use super::*;

fn rows_of(book: &mut Book) -> Vec<Row> {
    let mut nodes = Default::default();
    for id in book.entries.keys() {
        book.unsaved.changed(*id);
    }
    let mut pending = Pending::take(book, &mut nodes);
    let mut changes = rows::meta_rows(book);
    changes.extend(pending.next(book, &mut nodes, usize::MAX));
    let row = |change: super::super::Change| Row {
        table: change.table,
        key: change.key,
        value: change.value.unwrap(),
    };
    changes.into_iter().map(row).collect()
}

fn load(rows: &[Row]) -> Result<Book, BadRows> {
    let config = BookConfig::default();
    let loaded = rows::load(
        rows,
        config,
        NodeDbConfig::default(),
        Shape::default(),
        &mut rng(),
    );
    loaded.map(|(book, _)| book)
}

/// A broken file left a book that claimed addresses it did not have, and drawing from it never
/// ended. Here a book is built whole or not at all, and every count is a count of its content.
#[test]
fn w25_a_broken_file_makes_no_half_book() {
    let mut full = book();
    for number in 0..50 {
        add(&mut full, &node(number), start());
    }
    full.good(&node(0), start()).unwrap();
    let good = rows_of(&mut full);
    assert_eq!(load(&good).unwrap().len(), full.len());

    let address = good
        .iter()
        .rposition(|row| row.table == Table::Addresses)
        .unwrap();
    let mut broken = vec![good.clone(), good.clone(), good.clone(), good];
    broken[0][address].value.truncate(20);
    broken[1][address].key[0] ^= 1;
    broken[2].retain(|row| row.table != Table::Meta);
    broken[3][address].value = broken[3][address - 1].value.clone();
    for rows in broken {
        assert!(matches!(load(&rows), Err(BadRows::Damaged(_))));
    }
    // The owner goes on with an empty book, which claims nothing.
    let empty = load(&[]).unwrap();
    assert_eq!((empty.len(), empty.tried_len()), (0, 0));
    assert!(empty.get(start(), &mut rng()).is_none());
    assert!(empty.draw(|_| true, start(), &mut rng()).is_none());
}

/// Buckets held one address too many, and a good address was dropped although bad ones had just
/// made room. Here the limit is exact, and the oldest goes only if nothing bad went.
#[test]
fn w26_a_bucket_is_exact_and_drops_the_good_last() {
    // One group told of by one source goes into one bucket.
    let neighbour = |number: u32| at(number, &format!("12.1.1.{number}:30303"));
    let mut book = book();
    for number in 0..64 {
        let seen = start() - DAY + number * MINUTE;
        book.add(&neighbour(number), stranger(), seen, start(), &mut rng())
            .unwrap();
    }
    assert_eq!(book.len(), 64);
    add(&mut book, &neighbour(64), start());
    assert_eq!(book.len(), 64);
    assert!(book.entry(&id(&neighbour(0))).is_none(), "the oldest goes");

    for bad in [20, 30, 40] {
        for _ in 0..3 {
            book.dial_succeeded();
            book.attempt(&id(&neighbour(bad)), start() - HOUR);
        }
    }
    add(&mut book, &neighbour(65), start());
    assert_eq!(book.len(), 64 - 3 + 1, "only the bad ones went");
    assert!(
        book.entry(&id(&neighbour(1))).is_some(),
        "the next oldest stays"
    );
}

/// Port 70000 in a text became 4464. Here it is an error that names the port.
#[test]
fn w27_a_port_is_not_cut_to_16_bits() {
    let error = format!("enode://{}@12.1.2.3:70000", key(1))
        .parse::<Enode>()
        .unwrap_err();
    assert!(error.to_string().contains("70000"), "{error}");
}

/// Three rounds of dials while offline made every untested address bad. Here a failed dial counts
/// only if some dial has succeeded since the previous attempt on that address.
#[test]
fn w28_attempts_while_offline_do_not_count() {
    let mut book = book();
    for number in 0..200 {
        add(&mut book, &node(number), start());
    }
    let ids: Vec<_> = book.entries.keys().copied().collect();
    for round in 0..10 {
        for id in &ids {
            book.attempt(id, start() + round * HOUR);
        }
    }
    let later = start() + DAY;
    assert_eq!(
        book.entries().filter(|entry| entry.is_bad(later)).count(),
        0
    );

    // Online again, the addresses that never answer are found out.
    for round in 0..3 {
        book.dial_succeeded();
        for id in &ids {
            book.attempt(id, later + round * HOUR);
        }
    }
    let later = later + DAY;
    assert!(book.entries().all(|entry| entry.is_bad(later)));
}

/// Choices could be foretold, the file was written in place under the lock, loading asked the
/// resolver, proven addresses were put out without a test, and everybody who asked got a fresh
/// sample. The file's part is tested in `persistence` and by killing a process.
#[test]
fn w29_nothing_proven_is_put_out_untested() {
    let shape = Shape {
        tried_buckets: 1,
        tried_capacity: 2,
        tried_per_group: 1,
        ..Shape::default()
    };
    let mut book = book_of_shape(shape);
    for number in 0..3 {
        add(&mut book, &node(number), start() + number * MINUTE);
    }
    let now = start() + HOUR;
    assert_eq!(book.good(&node(0), now), Ok(Promotion::Tried));
    assert_eq!(book.good(&node(1), now), Ok(Promotion::Tried));
    assert_eq!(book.good(&node(2), now), Ok(Promotion::Waiting));
    assert_eq!(book.probe(now), Some(node(0)), "the one seen longest ago");
    assert_eq!(book.probe(now), None, "once in ten minutes");

    // It answers and stays; the other waits for its next chance.
    assert_eq!(book.good(&node(0), now), Ok(Promotion::AlreadyTried));
    assert_eq!(book.probes_pending(), 0);
    assert!(!book.entry(&id(&node(2))).unwrap().is_tried());

    assert_eq!(book.good(&node(2), now), Ok(Promotion::Waiting));
    assert_eq!(book.probe(now), Some(node(0)));
    assert!(!book.probe_failed(&id(&node(0)), now), "we may be offline");
    assert_eq!(book.probe(now + 10 * MINUTE), Some(node(0)));
    book.dial_succeeded();
    assert!(book.probe_failed(&id(&node(0)), now));
    assert!(book.entry(&id(&node(2))).unwrap().is_tried());
    assert!(
        !book.entry(&id(&node(0))).unwrap().is_tried(),
        "among the new ones again"
    );
    assert_eq!(
        (book.len(), book.tried_len(), book.probes_pending()),
        (3, 2, 0)
    );
}

/// As above: a bad address in a full tried bucket needs no probe.
#[test]
fn w29_a_bad_tried_address_gives_way_at_once() {
    let shape = Shape {
        tried_buckets: 1,
        tried_capacity: 1,
        tried_per_group: 1,
        ..Shape::default()
    };
    let mut book = book_of_shape(shape);
    add(&mut book, &node(0), start());
    book.good(&node(0), start()).unwrap();
    let now = start() + 31 * DAY;
    assert_eq!(book.good(&node(1), now), Ok(Promotion::Tried));
    assert!(book.entry(&id(&node(0))).is_none());
}

/// As above: everybody is told the same addresses for 24 hours, but none that was removed.
#[test]
fn w29_the_shared_list_is_the_same_for_a_day() {
    let (mut book, mut rng) = (book(), rng());
    for number in 0..100 {
        let source = Source::Ip(ip(&format!("{}.1.1.1", 20 + number)));
        book.add(&node(number), source, start(), start(), &mut rng)
            .unwrap();
    }
    let first = book.share(start(), &mut rng);
    assert_eq!(first.len(), 23);
    let second = book.share(start() + DAY - MINUTE, &mut rng);
    assert!(Arc::ptr_eq(&first, &second));
    book.remove(&id(&first[0]));
    assert_eq!(&*book.share(start() + DAY - MINUTE, &mut rng), &first[1..]);
    assert_ne!(&*book.share(start() + DAY, &mut rng), &first[1..]);
}

/// As above: which buckets an address reaches depends on a secret that every book makes for itself.
#[test]
fn w29_buckets_depend_on_a_secret() {
    let (mut first, mut second) = (rng(), StdRng::seed_from_u64(8));
    let buckets = |rng: &mut StdRng| {
        let mut book = Book::new(BookConfig::default(), rng);
        for number in 0..20 {
            let added = book.add(&node(number), stranger(), start(), start(), rng);
            assert_eq!(added, Ok(Added::New));
        }
        book.entries()
            .map(|entry| entry.place.clone())
            .collect::<Vec<_>>()
    };
    assert_ne!(buckets(&mut first), buckets(&mut second));
    assert_eq!(
        format!("{:?}", BucketKey::random(&mut first)),
        "BucketKey(redacted)"
    );
}

//! The buckets of new and tried addresses: their bounds, and which entries they drop.

use super::super::{Added, Promotion};
use super::*;

#[test]
fn a_full_bucket_drops_its_bad_addresses_before_its_oldest() {
    // Addresses of one group, from one source, share one bucket.
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
            book.failed(&id(&neighbour(bad)), start() - HOUR);
        }
    }
    add(&mut book, &neighbour(65), start());
    assert_eq!(book.len(), 64 - 3 + 1, "only the bad ones went");
    assert!(
        book.entry(&id(&neighbour(1))).is_some(),
        "the next oldest stays"
    );
}

/// A full bucket keeps its tried address unless a probe fails while other dials succeed.
#[test]
fn a_tried_address_is_probed_before_it_is_replaced() {
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

    // The probed address answers and stays; the other one waits for its next chance.
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

#[test]
fn a_bad_tried_address_is_replaced_without_a_probe() {
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

/// An attacker who could compute the buckets of an address could fill chosen buckets.
#[test]
fn buckets_depend_on_a_secret_of_the_book() {
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

/// Each further source may add an address to one more bucket, up to eight. The probability falls
/// with each bucket.
#[test]
fn further_sources_add_buckets() {
    let (mut book, mut rng) = (book(), rng());
    for number in 0..10_000u32 {
        let source = Source::Ip(ip(&format!("{}.{}.1.1", 20 + number % 70, number / 70)));
        book.add(&node(1), source, start(), start(), &mut rng)
            .unwrap();
    }
    assert_eq!(book.new.places(), 8);
    assert_eq!(book.len(), 1);
}

/// One source reports 4096 good addresses of one group. The book keeps fewer, and shares less than
/// a quarter of those.
#[test]
fn one_group_cannot_fill_the_book_even_with_good_addresses() {
    let mut book = book();
    for number in 0..4096 {
        let enode = at(
            number,
            &format!("12.1.{}.{}:30303", number / 256, number % 256),
        );
        add(&mut book, &enode, start());
        book.good(&enode, start()).unwrap();
    }
    assert!(book.len() < 4096);
    // One group reaches eight tried buckets of 256 addresses and, with one source, one new bucket
    // of 64.
    assert!(book.tried_len() <= 8 * 256);
    let shared = book.share(start(), &mut rng()).len();
    assert!(
        shared > 0 && shared * 4 < book.len(),
        "{shared} of {}",
        book.len()
    );
}

#[test]
fn more_addresses_are_needed_until_there_are_enough() {
    let mut book = book();
    assert!(book.need_more());
    for number in 0..1500 {
        let source = Source::Ip(ip(&format!("{}.1.1.1", 20 + number % 70)));
        book.add(&node(number), source, start(), start(), &mut rng())
            .unwrap();
    }
    assert!(!book.need_more(), "{}", book.len());
}

//! Which addresses are drawn for a dial, and which are shared.

use std::sync::Arc;

use super::super::{Entry, Promotion};
use super::*;

#[test]
fn get_returns_the_only_address_before_and_after_it_is_good() {
    let mut book = book();
    assert!(book.get(start(), &mut rng()).is_none());
    add(&mut book, &node(1), start());
    assert_eq!((book.len(), book.tried_len()), (1, 0));
    let got = |book: &Book| {
        book.get(start(), &mut rng())
            .map(|entry| entry.enode().clone())
    };
    assert_eq!(got(&book), Some(node(1)));
    assert_eq!(book.good(&node(1), start()), Ok(Promotion::Tried));
    assert_eq!(got(&book), Some(node(1)));
    assert_eq!((book.len(), book.tried_len()), (1, 1));
}

#[test]
fn draw_skips_groups_in_use_and_prefers_addresses_not_tried_recently() {
    let mut book = book();
    let (rested, recent) = (node(1), node(2));
    add(&mut book, &rested, start());
    add(&mut book, &recent, start());
    book.attempt(&id(&recent), start());
    let (now, mut rng) = (start() + MINUTE, rng());
    for _ in 0..100 {
        let drawn = book.draw(|_| true, now, &mut rng).unwrap();
        assert_eq!(drawn.enode(), &rested);
    }
    let used = book.entry(&id(&rested)).unwrap().group().clone();
    let drawn = book.draw(|entry| *entry.group() != used, now, &mut rng);
    assert_eq!(drawn.map(Entry::enode), Some(&recent));
    let mut draws = 0;
    assert!(
        book.draw(
            |_| {
                draws += 1;
                false
            },
            now + HOUR,
            &mut rng
        )
        .is_none()
    );
    assert_eq!(draws, 100);
}

/// A new sample for each request would reveal the whole book in a few requests.
#[test]
fn the_shared_list_stays_the_same_for_a_day_without_removed_addresses() {
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

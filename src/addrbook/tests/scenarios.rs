//! The behaviour that an address book of this kind must have, numbered as in the list that it was
//! built from (scenarios 39 to 52; 53 to 55 are in `groups`).
//!
//! Not applicable, each with the reason:
//! - 41 add-local, 47 best-local: a node's own endpoint is announced by its record and its server,
//!   and this book holds other nodes only. That private and local addresses are refused is tested.
//! - 50 format-upgrade: there is no older format yet. That a newer and an unknown one are told
//!   apart from a damaged file is tested in `persistence`.
//! - 49 "with services": a devp2p address has none; source, times, counts and buckets are compared.
//! - 55 Tor groups: an enode has no onion address.

use super::super::{AddError, Added, Book, BookConfig, Entry, Promotion, Source};
use super::*;

/// 39: a book starts, takes an address and ends; on disk in `persistence`.
#[test]
fn s39_a_book_starts_empty() {
    let mut book = book();
    assert!(book.is_empty() && book.get(start(), &mut rng()).is_none());
    add(&mut book, &node(1), start());
    assert_eq!((book.len(), book.tried_len()), (1, 0));
}

/// 40: the text form of an address is an enode URL; errors name the part that is wrong.
#[test]
fn s40_add_by_text() {
    let key = key(1);
    let mut book = book();
    let enode: Enode = format!("enode://{key}@12.1.2.3:30303").parse().unwrap();
    add(&mut book, &enode, start());
    assert_eq!(book.len(), 1);
    for wrong in ["12.1.2.3", "12.1.2.300:30303", "12.1.2.3:port"] {
        assert!(format!("enode://{key}@{wrong}").parse::<Enode>().is_err());
    }
}

/// 41, what applies: private, loopback and link-local addresses are refused, unless the network is
/// our own; public ones are taken, also twice.
#[test]
fn s41_private_addresses_are_refused() {
    let mut strict = book();
    let config = BookConfig::default().with_private_networks(true);
    let mut lenient = Book::new(config, &mut rng());
    let mut try_both = |address: &str| {
        let enode = at(1, address);
        [&mut strict, &mut lenient]
            .map(|book| book.add(&enode, Source::Own, start(), start(), &mut rng()))
    };
    for address in ["192.168.0.100:1", "[fc00::1]:1", "127.0.0.1:1", "[::1]:1"] {
        let [strict, lenient] = try_both(address);
        assert!(matches!(strict, Err(AddError::Private { .. })), "{address}");
        assert_eq!(lenient, Ok(Added::New), "{address}");
    }
    for address in ["169.254.1.1:1", "[fe80::1]:1", "0.0.0.0:1"] {
        for refused in try_both(address) {
            assert!(
                matches!(refused, Err(AddError::Unroutable { .. })),
                "{address}"
            );
        }
    }
    assert_eq!(try_both("204.124.1.1:1"), [Ok(Added::New), Ok(Added::New)]);
    assert_eq!(
        try_both("204.124.1.1:1"),
        [Ok(Added::Known), Ok(Added::Known)]
    );
}

#[test]
fn an_address_that_nobody_can_dial_is_refused() {
    let mut book = Book::new(
        BookConfig::default().with_own_id(key(9).node_id()),
        &mut rng(),
    );
    let mut add = |enode: &Enode, source| book.add(enode, source, start(), start(), &mut rng());
    assert_eq!(
        add(&Enode::incomplete(key(1)), Source::Own),
        Err(AddError::NoEndpoint)
    );
    assert_eq!(
        add(&at(1, "12.1.2.3:0"), Source::Own),
        Err(AddError::NoPort)
    );
    assert_eq!(add(&node(9), Source::Own), Err(AddError::OwnNode));
}

/// A name is taken from our own side, and never looked up.
#[test]
fn names_come_from_our_own_side() {
    let mut book = book();
    let enode: Enode = format!("enode://{}@node.example.org:30303", key(1))
        .parse()
        .unwrap();
    let told = book.add(&enode, stranger(), start(), start(), &mut rng());
    assert!(matches!(told, Err(AddError::NameFromStranger { .. })));
    let own = book.add(&enode, Source::Own, start(), start(), &mut rng());
    assert_eq!(own, Ok(Added::New));
    // Written otherwise, it is the same name, and there is one entry for it.
    let other: Enode = format!("enode://{}@NODE.example.org.:30303", key(2))
        .parse()
        .unwrap();
    book.good(&other, start()).unwrap();
    assert_eq!(book.len(), 1);
    assert!(book.entry(&id(&other)).unwrap().is_tried());
}

/// 42: an attempt sets its time.
#[test]
fn s42_attempt_sets_the_time() {
    let mut book = book();
    add(&mut book, &node(1), start());
    assert_eq!(book.entry(&id(&node(1))).unwrap().last_attempt(), None);
    assert!(book.attempt(&id(&node(1)), start() + HOUR));
    let entry = book.entry(&id(&node(1))).unwrap();
    assert_eq!(entry.last_attempt(), Some(start() + HOUR));
    assert!(!book.attempt(&id(&node(2)), start()));
}

/// 43: a connection refreshes a sighting that is an hour old, and leaves a fresh one alone.
#[test]
fn s43_connected_refreshes_an_old_sighting() {
    let mut book = book();
    add(&mut book, &node(1), start());
    let seen_at = |book: &mut Book, now| {
        assert!(book.connected(&id(&node(1)), now));
        book.entry(&id(&node(1))).unwrap().last_seen()
    };
    assert_eq!(seen_at(&mut book, start() + 20 * MINUTE), start());
    assert_eq!(seen_at(&mut book, start() + HOUR), start() + HOUR);
}

/// 44: more addresses are needed when there are none, and not after 1500.
#[test]
fn s44_need_more() {
    let mut book = book();
    assert!(book.need_more());
    for number in 0..1500 {
        let source = Source::Ip(ip(&format!("{}.1.1.1", 20 + number % 70)));
        book.add(&node(number), source, start(), start(), &mut rng())
            .unwrap();
    }
    assert!(!book.need_more(), "{}", book.len());
}

/// 45: 4096 addresses from one source, all proven good: fewer are kept, and what is told to others
/// is less than a quarter of them.
#[test]
fn s45_good_addresses_are_bounded() {
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
    // One group reaches eight tried buckets of 256, and one new bucket of 64 with one source.
    assert!(book.tried_len() <= 8 * 256);
    let shared = book.share(start(), &mut rng()).len();
    assert!(
        shared > 0 && shared * 4 < book.len(),
        "{shared} of {}",
        book.len()
    );
}

/// 46: nothing from an empty book; from a book of one that one, before and after it is good.
#[test]
fn s46_get() {
    let mut book = book();
    assert!(book.get(start(), &mut rng()).is_none());
    add(&mut book, &node(1), start());
    let got = |book: &Book| {
        book.get(start(), &mut rng())
            .map(|entry| entry.enode().clone())
    };
    assert_eq!(got(&book), Some(node(1)));
    assert_eq!(book.good(&node(1), start()), Ok(Promotion::Tried));
    assert_eq!(got(&book), Some(node(1)));
    assert_eq!((book.len(), book.tried_len()), (1, 1));
}

/// 48: the text form of a key's address part: IPv4 plain, IPv6 in brackets.
#[test]
fn s48_text_form() {
    for address in ["127.0.0.1:30303", "[fef3::4711]:30303"] {
        let text = at(1, address).to_string();
        assert_eq!(text.rsplit_once('@').unwrap().1, address);
    }
}

/// 51: the chance is 1, after an attempt within ten minutes a hundredth, and each failed attempt
/// divides it by 1.5.
#[test]
fn s51_chance() {
    let mut book = book();
    let id = id(&node(1));
    add(&mut book, &node(1), start());
    let chance = |book: &Book, now| book.entry(&id).unwrap().chance(now);
    assert_eq!(chance(&book, start()), 1.0);
    book.attempt(&id, start());
    assert_eq!(chance(&book, start() + 10 * MINUTE), 1.0);
    assert_eq!(chance(&book, start() + MINUTE), 0.01);
    // A clock that was set back changes nothing.
    assert_eq!(chance(&book, start() - HOUR), 0.01);
    for _ in 0..2 {
        book.dial_succeeded();
        book.attempt(&id, start());
    }
    let after = chance(&book, start() + HOUR);
    assert!((after - 1.0 / (1.5 * 1.5)).abs() < 1e-9, "{after}");
}

/// 52: what makes an address bad.
#[test]
fn s52_bad() {
    let now = start();
    let ago = |time| Some(now - time);
    let cases = [
        // last seen, attempts, last attempt, last success → bad
        (now, 0, None, None, false),
        (now, 3, ago(30 * Duration::from_secs(1)), None, false),
        (now + 5 * MINUTE, 0, None, None, false),
        (now + 15 * MINUTE, 0, None, None, true),
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

#[test]
fn a_sighting_in_the_future_is_doubted() {
    let mut book = book();
    let future = start() + HOUR;
    book.add(&node(1), stranger(), future, start(), &mut rng())
        .unwrap();
    let entry = book.entry(&id(&node(1))).unwrap();
    assert_eq!(entry.last_seen(), start() - 5 * DAY);
}

/// A further source may give an address one more place, up to eight, and ever more rarely.
#[test]
fn further_sources_give_further_places() {
    let (mut book, mut rng) = (book(), rng());
    for number in 0..10_000u32 {
        let source = Source::Ip(ip(&format!("{}.{}.1.1", 20 + number % 70, number / 70)));
        book.add(&node(1), source, start(), start(), &mut rng)
            .unwrap();
    }
    assert_eq!(book.new.places(), 8);
    assert_eq!(book.len(), 1);
}

/// A handshake decides between two claims; gossip only replaces what has failed.
#[test]
fn a_place_belongs_to_whom_a_handshake_proves() {
    let mut book = book();
    let (first, second) = (at(1, "12.1.2.3:1"), at(2, "12.1.2.3:1"));
    add(&mut book, &first, start());
    let claim = |book: &mut Book, enode: &Enode, source| {
        book.add(enode, source, start(), start() + HOUR, &mut rng())
    };
    let taken = claim(&mut book, &second, stranger());
    assert!(matches!(taken, Err(AddError::EndpointTaken { holder, .. }) if holder == id(&first)));
    let moved = claim(&mut book, &at(1, "12.1.2.4:1"), stranger());
    assert!(matches!(moved, Err(AddError::KnownElsewhere { .. })));

    book.dial_succeeded();
    book.attempt(&id(&first), start());
    assert_eq!(claim(&mut book, &second, stranger()), Ok(Added::New));
    assert!(book.entry(&id(&first)).is_none());

    assert_eq!(book.good(&first, start()), Ok(Promotion::Tried));
    assert!(book.entry(&id(&second)).is_none());
    assert!(claim(&mut book, &second, Source::Own).is_err());
    assert!(claim(&mut book, &at(1, "12.1.2.4:1"), Source::Own).is_err());
    assert_eq!(
        book.good(&at(1, "12.1.2.4:1"), start()),
        Ok(Promotion::Tried)
    );
    assert_eq!(book.len(), 1);
}

/// A claim that is refused for one reason does not put out what stood in its way otherwise.
#[test]
fn a_refused_claim_changes_nothing() {
    let mut book = book();
    book.good(&at(1, "12.1.2.3:1"), start()).unwrap();
    add(&mut book, &at(2, "12.1.2.4:1"), start());
    book.dial_succeeded();
    book.attempt(&id(&at(2, "12.1.2.4:1")), start());
    let claim = at(1, "12.1.2.4:1");
    let refused = book.add(&claim, stranger(), start(), start() + HOUR, &mut rng());
    assert!(matches!(refused, Err(AddError::KnownElsewhere { .. })));
    assert_eq!(book.len(), 2);
}

#[test]
fn a_handshake_brings_the_newest_discovery_port() {
    let mut book = book();
    add(&mut book, &node(1), start());
    let other: Enode = format!("{}?discport=9", node(1)).parse().unwrap();
    book.good(&other, start()).unwrap();
    assert_eq!(book.entry(&id(&other)).unwrap().enode(), &other);
}

/// Groups in use are skipped; a recently tried address is drawn only if there is nothing else.
#[test]
fn draw_keeps_its_rules() {
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

#[test]
fn remove_and_expire() {
    let mut book = book();
    for (number, address) in [(1, "12.1.2.3:1"), (2, "12.1.2.3:2"), (3, "12.1.2.4:1")] {
        add(&mut book, &at(number, address), start());
    }
    book.good(&at(1, "12.1.2.3:1"), start()).unwrap();
    assert_eq!(book.remove_ip(ip("12.1.2.3")), 2);
    add(&mut book, &at(4, "[2a00:1:2:3::4]:1"), start());
    assert_eq!(book.remove_ip(ip("2a00:1:2:4::4")), 0);
    assert_eq!(book.remove_ip(ip("2a00:1:2:3:ffff::")), 1);
    assert_eq!(book.expire(start()), 0);
    assert_eq!(book.expire(start() + 31 * DAY), 1);
    assert!(book.is_empty() && book.remove(&id(&node(1))).is_none());
    assert_eq!((book.new.places(), book.tried.places()), (0, 0));
}

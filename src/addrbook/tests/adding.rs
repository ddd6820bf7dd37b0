//! Which addresses the book admits, and which entries they replace.

use super::super::{AddError, Added, Promotion};
use super::*;

#[test]
fn private_addresses_are_refused_unless_private_networks_are_allowed() {
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

/// A name is accepted only from this node itself, and never looked up.
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
    // The same name in another spelling has the same entry.
    let other: Enode = format!("enode://{}@NODE.example.org.:30303", key(2))
        .parse()
        .unwrap();
    book.good(&other, start()).unwrap();
    assert_eq!(book.len(), 1);
    assert!(book.entry(&id(&other)).unwrap().is_tried());
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

/// A handshake decides between conflicting addresses. A reported address replaces only an entry
/// that has failed.
#[test]
fn an_address_belongs_to_the_node_that_a_handshake_proves() {
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
    book.failed(&id(&first), start());
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

/// An address that may replace only one of two conflicting entries removes neither.
#[test]
fn a_refused_claim_changes_nothing() {
    let mut book = book();
    book.good(&at(1, "12.1.2.3:1"), start()).unwrap();
    add(&mut book, &at(2, "12.1.2.4:1"), start());
    book.dial_succeeded();
    book.failed(&id(&at(2, "12.1.2.4:1")), start());
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

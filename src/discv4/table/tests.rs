use std::net::SocketAddr;

use super::*;
use crate::node::SecretKey;

fn key(number: u32) -> SecretKey {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_bytes(&bytes).unwrap()
}

/// A node in its own /24.
fn contact(number: u32) -> Contact {
    at(
        number,
        format!("20.{}.{}.1:30303", number >> 8, number & 0xff),
    )
}

fn at(number: u32, addr: impl AsRef<str>) -> Contact {
    let addr: SocketAddr = addr.as_ref().parse().unwrap();
    Contact::new(key(number).public_key(), addr, 30303)
}

fn table() -> Table {
    Table::new(key(u32::MAX).public_key().node_id())
}

/// The first 40 nodes of the farthest bucket, which covers half of all node ids.
fn farthest(table: &Table) -> Vec<u32> {
    let far = |number: &u32| table.place(&contact(*number).node_id()) == BUCKETS - 1;
    (0..100).filter(far).take(40).collect()
}

#[test]
fn a_bucket_holds_sixteen_nodes_and_ten_wait() {
    let (mut table, now) = (table(), Instant::now());
    let numbers = farthest(&table);
    let seen: Vec<_> = numbers
        .iter()
        .map(|number| table.seen(contact(*number), None, now))
        .collect();
    assert!(seen[..16].iter().all(|seen| *seen == Seen::Added));
    assert!(seen[16..].iter().all(|seen| *seen == Seen::Known));
    assert_eq!(table.entries().count(), 16);
    // The waiting node that answered last replaces the removed one.
    let gone = contact(numbers[3]).node_id();
    table.failed(&gone);
    assert!(table.get(&gone).is_none());
    assert!(table.get(&contact(numbers[39]).node_id()).is_some());
    // Only ten nodes were left waiting, and displaced ones no longer count towards any limit.
    for number in &numbers[4..16] {
        table.failed(&contact(*number).node_id());
    }
    assert_eq!(table.entries().count(), 13);
    let networks = table.networks.has_room(contact(numbers[20]).ip());
    assert!(networks);
}

#[test]
fn a_node_that_answered_often_survives_a_lost_answer() {
    let (mut table, now) = (table(), Instant::now());
    let id = contact(1).node_id();
    for _ in 0..9 {
        table.seen(contact(1), Some(3), now);
    }
    table.failed(&id);
    table.failed(&id);
    assert_eq!(table.get(&id).map(|entry| entry.answers), Some(1));
    table.failed(&id);
    assert!(table.is_empty());
}

#[test]
fn networks_are_limited_in_a_bucket_and_in_the_table() {
    let (mut table, now) = (table(), Instant::now());
    let mut taken = 0;
    for number in 0..2000 {
        let contact = at(number, format!("20.0.0.{}:30303", number % 250));
        if table.seen(contact, None, now) != Seen::Refused {
            taken += 1;
        }
    }
    assert_eq!(taken, OF_NETWORK);
    assert!(
        table
            .buckets
            .iter()
            .all(|bucket| bucket.entries().count() <= 2)
    );
    let mut local = self::table();
    for number in 0..16 {
        local.seen(
            at(number, format!("127.0.0.1:{}", 2000 + number)),
            None,
            now,
        );
    }
    assert_eq!(local.entries().count(), 16);
}

#[test]
fn a_node_that_moves_takes_its_count_along() {
    let (mut table, now) = (table(), Instant::now());
    for last in 1..=10 {
        table.seen(at(7, format!("20.0.{last}.1:30303")), None, now);
    }
    assert_eq!(table.entries().count(), 1);
    assert_eq!(
        table.get(&contact(7).node_id()).unwrap().contact.ip(),
        ip([20, 0, 10, 1])
    );
    // Two other nodes of the bucket fill the network that the node moves to.
    let place = table.place(&contact(7).node_id());
    let beside: Vec<_> = (100..400)
        .filter(|number| table.place(&contact(*number).node_id()) == place)
        .take(2)
        .collect();
    for (host, number) in beside.iter().enumerate() {
        assert_eq!(
            table.seen(at(*number, format!("21.0.0.{host}:30303")), None, now),
            Seen::Added
        );
    }
    assert_eq!(
        table.seen(at(7, "21.0.0.9:30303"), None, now),
        Seen::Refused
    );
    table.failed(&contact(beside[0]).node_id());
    assert_eq!(table.seen(at(7, "21.0.0.9:30303"), None, now), Seen::Known);
    assert!(table.networks.has_room(ip([20, 0, 10, 1])));
}

fn ip(octets: [u8; 4]) -> std::net::IpAddr {
    octets.into()
}

#[test]
fn the_nearest_come_first() {
    let (mut table, now) = (table(), Instant::now());
    for number in 0..200 {
        table.seen(contact(number), None, now);
    }
    let target = contact(5000).node_id();
    let nearest = table.nearest(&target, 16, |_| true);
    assert_eq!(nearest.len(), 16);
    let distances = |contacts: &[Contact]| -> Vec<_> {
        contacts
            .iter()
            .map(|contact| distance(&contact.node_id(), &target))
            .collect()
    };
    assert!(distances(&nearest).is_sorted());
    let limit = *distances(&nearest).last().unwrap();
    let nearer = table
        .entries()
        .filter(|entry| distance(&entry.contact.node_id(), &target) <= limit);
    assert_eq!(nearer.count(), 16);
    let odd = |contact: &Contact| contact.ip() != nearest[0].ip();
    assert_eq!(table.nearest(&target, 1, odd), nearest[1..2]);
}

#[test]
fn the_node_silent_for_longest_is_asked_first() {
    let (mut table, start) = (table(), Instant::now());
    let silence = Duration::from_secs(10);
    for number in 0..3 {
        let now = start + Duration::from_secs(number);
        table.seen(contact(number as u32), None, now);
    }
    assert_eq!(table.stalest(silence, start + Duration::from_secs(9)), None);
    let now = start + silence;
    assert_eq!(table.stalest(silence, now), Some(contact(0)));
    table.seen(contact(0), None, now);
    assert_eq!(table.stalest(Duration::ZERO, now), Some(contact(1)));
}

#[test]
fn a_newer_record_is_kept() {
    let (mut table, now) = (table(), Instant::now());
    let record = |seq| NodeRecord::builder(seq).sign(&key(1)).unwrap();
    table.set_record(record(1));
    table.seen(contact(1), Some(2), now);
    let id = contact(1).node_id();
    assert!(table.get(&id).unwrap().has_newer_record());
    table.set_record(record(2));
    table.set_record(record(1));
    let entry = table.get(&id).unwrap();
    assert_eq!(entry.record.as_ref().map(|record| record.seq()), Some(2));
    assert!(!entry.has_newer_record());
}

#[test]
fn our_own_node_is_not_added() {
    let mut table = table();
    let own = at(u32::MAX, "20.0.0.1:30303");
    assert_eq!(table.seen(own, None, Instant::now()), Seen::Refused);
}

//! Lists that change while they are read.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, advance};

use super::net::{Net, fast, key, node};
use crate::dns::machine::{Machine, Step};
use crate::dns::memory::Memory;
use crate::dns::{DnsError, EntryHash, Link, Resolver, Walk};

const REFRESH: Duration = Duration::from_secs(30 * 60);

/// The ports of the nodes that `count` calls return, and the errors.
async fn calls(walk: &mut Walk<Net>, count: usize) -> (BTreeSet<u16>, Vec<DnsError>) {
    let (mut ports, mut errors) = (BTreeSet::new(), Vec::new());
    for _ in 0..count {
        match walk.next().await.unwrap() {
            Ok(record) => ports.extend(record.get::<u16>("tcp")),
            Err(error) => errors.push(error),
        }
    }
    (ports, errors)
}

#[tokio::test(start_paused = true)]
async fn a_new_root_is_seen_after_the_refresh_and_not_before() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=5).map(node), []);
    let mut walk = net.client(fast()).walk([link]);
    assert_eq!(calls(&mut walk, 5).await.0, (1..=5).collect());
    net.publish((1, "n"), 2, (6..=9).map(node), []);
    advance(REFRESH - Duration::from_secs(1)).await;
    assert_eq!(calls(&mut walk, 5).await.0, (1..=5).collect());
    advance(Duration::from_secs(2)).await;
    let (ports, errors) = calls(&mut walk, 4).await;
    assert_eq!((ports, errors.len()), ((6..=9).collect(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_walk_continues_with_its_current_root() {
    let net = Net::default();
    let link = net.publish((1, "n"), 7, (1..=5).map(node), []);
    let mut walk = net.client(fast()).walk([link]);
    calls(&mut walk, 5).await;
    // An older, a forged and a missing root do not replace the current one.
    net.publish((1, "n"), 6, [node(9)], []);
    advance(REFRESH).await;
    let (ports, errors) = calls(&mut walk, 6).await;
    assert_eq!(ports, (1..=5).collect());
    assert!(
        matches!(
            &errors[..],
            [DnsError::OldRoot {
                got: 6,
                known: 7,
                ..
            }]
        ),
        "{errors:?}"
    );
    net.publish((2, "n"), 8, [node(9)], []);
    advance(REFRESH).await;
    let (ports, errors) = calls(&mut walk, 6).await;
    assert_eq!(ports, (1..=5).collect());
    assert!(
        matches!(&errors[..], [DnsError::Invalid { .. }]),
        "{errors:?}"
    );
    net.remove("n");
    advance(REFRESH).await;
    let (ports, errors) = calls(&mut walk, 6).await;
    assert_eq!(ports, (1..=5).collect());
    assert!(
        matches!(&errors[..], [DnsError::Lookup { .. }]),
        "{errors:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_root_is_looked_up_with_growing_waits() {
    let net = Net::default();
    let link = Link::new(key(1).public_key(), "n".parse().unwrap());
    let mut walk = net.client(fast()).walk([link]);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let start = Instant::now();
        walk.next().await.unwrap().unwrap_err();
        waits.push(start.elapsed().as_secs());
    }
    assert_eq!(
        waits,
        [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800]
    );
}

#[tokio::test(start_paused = true)]
async fn many_missing_entries_bring_the_refresh_forward() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=40).map(node), []);
    let mut walk = net.client(fast()).walk([link.clone()]);
    calls(&mut walk, 1).await;
    for name in net.names() {
        net.remove(&name);
    }
    net.publish((1, "n"), 2, (51..=60).map(node), []);
    advance(Duration::from_secs(10)).await;
    let start = Instant::now();
    let mut ports = BTreeSet::new();
    while ports.len() < 10 {
        ports.extend(
            calls(&mut walk, 1)
                .await
                .0
                .into_iter()
                .filter(|port| *port > 50),
        );
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_missing_first_entry_is_looked_up_with_growing_waits() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, [node(1)], []);
    let name = EntryHash::of(&node(1).to_string()).name_in(link.domain());
    net.remove(&name);
    let mut walk = net.client(fast()).walk([link]);
    let mut waits = Vec::new();
    for _ in 0..11 {
        let start = Instant::now();
        walk.next().await.unwrap().unwrap_err();
        waits.push(start.elapsed().as_secs());
    }
    assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800]);
    net.set(&name, &node(1).to_string());
    assert_eq!(walk.next().await.unwrap().unwrap(), node(1));
    assert!(net.asked().iter().filter(|asked| **asked == name).count() == 12);
}

#[tokio::test(start_paused = true)]
async fn missing_links_are_looked_up_again_soon() {
    let net = Net::default();
    let other = net.publish((2, "b"), 1, [node(2)], []);
    let link = net.publish((1, "a"), 1, [node(1)], [other.clone()]);
    let name = EntryHash::of(&other.to_string()).name_in(link.domain());
    net.remove(&name);
    let mut walk = net.client(fast()).walk([link]);
    let (ports, errors) = calls(&mut walk, 10).await;
    assert_eq!((ports, errors.len()), (BTreeSet::from([1]), 1));
    net.set(&name, &other.to_string());
    advance(Duration::from_secs(6)).await;
    assert_eq!(calls(&mut walk, 50).await.0, BTreeSet::from([1, 2]));
}

#[tokio::test(start_paused = true)]
async fn lists_that_are_no_longer_linked_are_forgotten() {
    let net = Net::default();
    let link =
        |number: u8, domain: &str| Link::new(key(number).public_key(), domain.parse().unwrap());
    let (b, c) = (link(2, "b"), link(3, "c"));
    let a = net.publish((1, "a"), 1, [node(1)], [b.clone()]);
    net.publish((2, "b"), 1, [node(2)], [c.clone(), a.clone()]);
    net.publish((3, "c"), 1, [node(3)], [b]);
    let mut walk = net.client(fast()).walk([a]);
    assert_eq!(calls(&mut walk, 100).await.0, (1..=3).collect());
    assert_eq!(walk.links().count(), 3);
    net.publish((1, "a"), 2, [node(1)], []);
    advance(REFRESH).await;
    calls(&mut walk, 100).await;
    assert_eq!(walk.links().count(), 1);
    assert_eq!(calls(&mut walk, 10).await.0, BTreeSet::from([1]));
}

#[tokio::test(start_paused = true)]
async fn links_that_are_not_followed_take_no_memory() {
    let net = Net::default();
    let (start, mut random) = (Instant::now(), StdRng::seed_from_u64(1));
    let config = fast().with_max_trees(3);
    let mut memory = Memory::new(&config);
    let link = net.publish((1, "a"), 1, [node(1)], []);
    let mut machine = Machine::forever(config, vec![link], start);
    for seq in 2..10u64 {
        // Each root has other links, and one link entry is missing, so that the old links are not
        // forgotten.
        let links = (0..30u8).map(|number| {
            let domain = format!("l{seq}-{number}");
            Link::new(key(1).public_key(), domain.parse().unwrap())
        });
        net.publish((1, "a"), seq, [node(1)], links);
        let gone = net
            .names()
            .into_iter()
            .find(|name| name.ends_with(".a") && net.text(name).starts_with("enrtree://"));
        net.remove(&gone.unwrap());
        let now = start + REFRESH * u32::try_from(seq).unwrap();
        for _ in 0..100 {
            if let Step::Lookup(name) = machine.next(now, &mut random, &mut memory) {
                let answer = net.texts(&name).now_or_never().unwrap();
                machine.answered(now, &mut memory, answer);
            }
        }
    }
    assert_eq!(machine.links().count(), 3);
    assert!(machine.kept_links() <= 6, "{}", machine.kept_links());
}

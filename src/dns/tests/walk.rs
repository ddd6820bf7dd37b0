//! Walks through lists.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, timeout};

use super::net::{Net, fast, key, node};
use crate::dns::{Config, DnsError, Link, LookupError, Walk};
use crate::node::NodeRecord;

async fn good(walk: &mut Walk<Net>) -> NodeRecord {
    walk.next().await.expect("there is a list").expect("a node")
}

/// The TCP ports of the next `count` nodes.
async fn ports(walk: &mut Walk<Net>, count: usize) -> Vec<u16> {
    let mut ports = Vec::new();
    for _ in 0..count {
        ports.push(good(walk).await.get("tcp").unwrap());
    }
    ports
}

fn domains(walk: &Walk<Net>) -> BTreeSet<String> {
    walk.links().map(|link| link.domain().to_string()).collect()
}

fn link(number: u8, domain: &str) -> Link {
    Link::new(key(number).public_key(), domain.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn each_node_comes_once_in_random_order_and_then_all_again() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=50).map(node), []);
    let mut walk = net.client(fast()).walk([link]);
    let first = ports(&mut walk, 50).await;
    let second = ports(&mut walk, 50).await;
    let all: BTreeSet<_> = (1..=50).collect();
    assert_eq!(BTreeSet::from_iter(first.clone()), all);
    assert_eq!(BTreeSet::from_iter(second.clone()), all);
    assert!(first != second && !first.is_sorted());
    assert_eq!(net.asked().len(), net.names().len());
}

#[tokio::test(start_paused = true)]
async fn the_first_node_takes_a_few_lookups_of_a_large_list() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=1_000).map(node), []);
    let mut walk = net.client(fast()).walk([link]);
    assert_eq!(net.asked(), [""; 0]);
    good(&mut walk).await;
    // The order is random: a branch may come before a node.
    let asked = net.asked().len();
    assert!(
        (5..=60).contains(&asked),
        "{asked} of {}",
        net.names().len()
    );
}

#[tokio::test(start_paused = true)]
async fn links_are_followed_and_lists_may_lead_to_each_other() {
    let net = Net::default();
    let (a, b, c) = (link(1, "a"), link(2, "b"), link(3, "c"));
    net.publish((1, "a"), 1, [node(1)], [b.clone(), a.clone()]);
    net.publish((2, "b"), 1, [node(2)], [a.clone(), c.clone()]);
    net.publish((3, "c"), 1, [node(3)], [a.clone()]);
    let mut walk = net.client(fast()).walk([a]);
    let found = ports(&mut walk, 100).await;
    assert_eq!(BTreeSet::from_iter(found), BTreeSet::from([1, 2, 3]));
    assert_eq!(
        domains(&walk),
        BTreeSet::from(["a", "b", "c"].map(str::to_owned))
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_lists_are_followed_than_allowed() {
    let net = Net::default();
    let links = (10..30).map(|number| link(number, &format!("l{number}")));
    let start = net.publish((1, "a"), 1, [node(1)], links);
    for number in 10..30 {
        net.publish(
            (number, &format!("l{number}")),
            1,
            [node(number.into())],
            [],
        );
    }
    let mut walk = net.client(fast().with_max_trees(4)).walk([start]);
    let (mut errors, mut nodes) = (0, 0);
    while nodes < 100 {
        match walk.next().await.unwrap() {
            Ok(_) => nodes += 1,
            Err(DnsError::TooManyTrees { limit: 4, name }) => {
                assert!(name.ends_with(".a"));
                errors += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((errors, walk.links().count()), (17, 4));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_does_not_stop_the_others() {
    let net = Net::default();
    let good_one = net.publish((1, "a"), 1, (1..=20).map(node), []);
    let (gone, forged) = (link(2, "b"), link(3, "c"));
    net.publish((4, "c"), 1, [node(30)], []);
    let mut walk = net.client(fast()).walk([good_one, gone, forged]);
    let (mut found, mut failed) = (BTreeSet::new(), BTreeSet::new());
    while found.len() < 20 || failed.len() < 2 {
        match walk.next().await.unwrap() {
            Ok(record) => assert!(
                record
                    .get("tcp")
                    .is_some_and(|port: u16| found.insert(port) || port <= 20)
            ),
            Err(error) => assert!(failed.insert(error.name().to_owned())),
        }
    }
    assert_eq!(failed, BTreeSet::from(["b".to_owned(), "c".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_walk_ends_without_lists_and_waits_for_an_empty_one() {
    let net = Net::default();
    assert!(net.client(fast()).walk([]).next().await.is_none());
    let empty = net.publish((1, "n"), 1, [], []);
    let mut walk = net.client(fast()).walk([empty]);
    let hour = Duration::from_secs(3600);
    assert!(timeout(hour, walk.next()).await.is_err());
    // The root was looked up at the beginning and twice since then; the empty branch is cached.
    assert_eq!(net.asked().iter().filter(|name| *name == "n").count(), 3);
    net.publish((1, "n"), 2, [node(1)], []);
    assert_eq!(good(&mut walk).await, node(1));
}

#[tokio::test(start_paused = true)]
async fn cached_entries_are_returned_no_faster_than_the_rate() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, [node(1)], []);
    let mut walk = net.client(Config::default()).walk([link]);
    let start = Instant::now();
    ports(&mut walk, 100).await;
    assert!(start.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_loses_nothing() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=20).map(node), []);
    let mut walk = net
        .client(fast().with_lookup_timeout(Duration::from_secs(60)))
        .walk([link]);
    let mut found = BTreeSet::new();
    for _ in 0..20 {
        net.silence(true);
        assert!(timeout(Duration::from_secs(1), walk.next()).await.is_err());
        assert!(walk.next().now_or_never().is_none());
        net.silence(false);
        found.extend(ports(&mut walk, 1).await);
    }
    assert_eq!(found.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_silent_resolver_times_out() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=20).map(node), []);
    let mut walk = net.client(fast()).walk([link]);
    net.silence(true);
    let start = Instant::now();
    let error = walk.next().await.unwrap().unwrap_err();
    let DnsError::Lookup {
        name,
        source: LookupError::TimedOut { limit },
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((name.as_str(), limit), ("n", Duration::from_secs(1)));
    assert!(start.elapsed().abs_diff(limit) < Duration::from_millis(50));
    net.silence(false);
    ports(&mut walk, 20).await;
    // The root is looked up again five seconds after a failure.
    assert!(start.elapsed().abs_diff(Duration::from_secs(6)) < Duration::from_millis(50));
}

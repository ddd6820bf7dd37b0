//! Reading a whole list.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::net::{Net, fast, node};
use super::vectors::{BAD_NODE, LINKED, NODES, RECORDS, link};
use crate::dns::{Config, DnsError, EntryError};
use crate::node::RecordError;

#[tokio::test(start_paused = true)]
async fn the_published_list_is_read() {
    let net = Net::of(RECORDS);
    let synced = net.client(fast()).sync(&link()).await.unwrap();
    let nodes: BTreeSet<_> = synced.nodes().iter().map(ToString::to_string).collect();
    assert_eq!(nodes, BTreeSet::from(NODES.map(str::to_owned)));
    assert_eq!(synced.links(), [LINKED.parse().unwrap()]);
    assert_eq!((synced.root().seq(), synced.failures()), (1, 0));
    // Each name was looked up once, and no link was followed.
    assert_eq!(net.asked().len(), RECORDS.len());
}

#[tokio::test(start_paused = true)]
async fn a_bad_node_in_the_published_list_is_reported_and_skipped() {
    let synced = Net::of(BAD_NODE)
        .client(fast())
        .sync(&link())
        .await
        .unwrap();
    let [DnsError::Invalid { name, source }] = synced.errors() else {
        panic!("{:?}", synced.errors());
    };
    assert_eq!(name, "INDMVBZEEQ4ESVYAKGIYU74EAA.n");
    assert!(matches!(
        source,
        EntryError::Record(RecordError::Base64 { .. })
    ));
    assert_eq!((synced.nodes().len(), synced.links().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn cached_entries_are_not_looked_up_again() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=40).map(node), []);
    let client = net.client(fast());
    assert_eq!(client.sync(&link).await.unwrap().nodes().len(), 40);
    assert_eq!(net.asked().len(), net.names().len());
    assert_eq!(client.sync(&link).await.unwrap().nodes().len(), 40);
    assert_eq!(net.asked(), ["n"]);

    let forgetful = net.client(fast().with_cache(0));
    for _ in 0..2 {
        forgetful.sync(&link).await.unwrap();
        assert_eq!(net.asked().len(), net.names().len());
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_applies_to_all_reads_of_a_client() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=40).map(node), []);
    let client = net.client(Config::default());
    let start = Instant::now();
    client.sync(&link).await.unwrap();
    // The 40 nodes, 4 branches, one empty branch of links, and the root were read, ten at once and
    // then three a second.
    assert_eq!(net.asked().len(), 46);
    let third = Duration::from_secs(1) / 3;
    assert!(
        start.elapsed().abs_diff(third * 36) < Duration::from_millis(50),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_takes_too_long_is_returned_in_part() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=40).map(node), []);
    let limit = Duration::from_secs(5);
    let client = net.client(Config::default().with_sync_timeout(limit));
    let synced = client.sync(&link).await.unwrap();
    assert!(!synced.nodes().is_empty() && synced.nodes().len() < 40);
    assert!(matches!(synced.errors(), [DnsError::TimeUp { .. }]));
    net.silence(true);
    let error = net
        .client(
            fast()
                .with_lookup_timeout(Duration::MAX)
                .with_sync_timeout(limit),
        )
        .sync(&link)
        .await;
    assert!(matches!(error, Err(DnsError::TimeUp { .. })), "{error:?}");
}

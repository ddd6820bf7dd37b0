//! Lists that are too large.

use std::time::Duration;

use super::net::{Net, fast, node};
use crate::dns::{Client, Config, DnsError};

#[tokio::test(start_paused = true)]
async fn entries_that_are_too_deep_are_left_out() {
    let net = Net::default();
    let mut top = net.put("n", &node(1).to_string());
    for _ in 0..5 {
        top = net.put_branch("n", &[top]);
    }
    let beside = net.put("n", &node(2).to_string());
    let top = net.put_branch("n", &[top, beside]);
    let link = net.put_root((1, "n"), 1, top, net.put_branch("n", &[]));
    let synced = net
        .client(fast().with_max_depth(5))
        .sync(&link)
        .await
        .unwrap();
    assert_eq!(synced.nodes(), [node(2)]);
    assert!(matches!(
        synced.errors(),
        [DnsError::TooDeep { limit: 5, .. }]
    ));
    let synced = net
        .client(fast().with_max_depth(6))
        .sync(&link)
        .await
        .unwrap();
    assert_eq!((synced.nodes().len(), synced.failures()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn no_more_entries_are_read_than_allowed() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=100).map(node), []);
    let synced = net
        .client(fast().with_max_entries(20))
        .sync(&link)
        .await
        .unwrap();
    assert!(synced.nodes().len() < 20);
    // The lookups are for the root, 20 entries of the tree of nodes, and the empty branch of the
    // tree of links.
    assert_eq!(net.asked().len(), 22);
    let is_right = |error: &DnsError| matches!(error, DnsError::TooManyEntries { limit: 20, .. });
    assert!(synced.failures() >= 1 && synced.errors().iter().all(is_right));
}

#[tokio::test(start_paused = true)]
async fn no_more_bytes_are_read_than_allowed() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=100).map(node), []);
    let synced = net
        .client(fast().with_max_bytes(4_000))
        .sync(&link)
        .await
        .unwrap();
    let bytes: usize = synced
        .nodes()
        .iter()
        .map(|node| node.to_string().len())
        .sum();
    assert!(bytes > 0 && bytes <= 4_000);
    assert!(matches!(
        synced.errors(),
        [DnsError::TooManyBytes { limit: 4_000, .. }]
    ));
}

#[tokio::test(start_paused = true)]
async fn errors_are_counted_and_the_first_ones_kept() {
    let net = Net::default();
    let link = net.publish((1, "n"), 1, (1..=100).map(node), []);
    for name in net.names() {
        if name.len() > 1 {
            net.set(&name, "enr:");
        }
    }
    let synced = net.client(fast()).sync(&link).await.unwrap();
    assert_eq!((synced.failures(), synced.errors().len()), (2, 2));
    let link = net.publish((1, "n"), 2, (1..=100).map(node), []);
    for number in 1..=100 {
        net.remove(&format!(
            "{}.n",
            crate::dns::EntryHash::of(&node(number).to_string())
        ));
    }
    let synced = net.client(fast()).sync(&link).await.unwrap();
    assert_eq!((synced.failures(), synced.errors().len()), (100, 64));
}

#[test]
fn settings_that_are_too_small_are_rejected() {
    for config in [
        Config::default().with_max_entries(0),
        Config::default().with_max_bytes(0),
        Config::default().with_entries_per_second(0),
        Config::default().with_lookup_timeout(Duration::ZERO),
        Config::default().with_refresh(Duration::from_millis(999)),
    ] {
        assert!(
            Client::builder(Net::default())
                .config(config)
                .build()
                .is_err()
        );
    }
    let most = Config::default()
        .with_refresh(Duration::MAX)
        .with_sync_timeout(Duration::MAX);
    assert!(Client::builder(Net::default()).config(most).build().is_ok());
}

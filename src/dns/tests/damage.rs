//! Lists with one damaged name: an error reports it, and all other names are read.

use super::net::{Net, fast, key, node};
use crate::dns::{DnsError, EntryError, EntryHash, Link, LookupError, MAX_TEXT, SyncedTree, Tree};

/// A list of 30 nodes and a link.
fn list() -> (Net, Link) {
    let net = Net::default();
    let other = Link::new(key(9).public_key(), "other".parse().unwrap());
    let link = net.publish((1, "n"), 5, (1..=30).map(node), [other]);
    (net, link)
}

/// The name of the entry of this node.
fn name(number: u16) -> String {
    format!("{}.n", EntryHash::of(&node(number).to_string()))
}

async fn sync(net: &Net, link: &Link) -> Result<SyncedTree, DnsError> {
    net.client(fast()).sync(link).await
}

/// Reads a list in which one node is lost, and returns the only error.
async fn one_lost(net: &Net, link: &Link) -> DnsError {
    let synced = sync(net, link).await.unwrap();
    assert_eq!(synced.nodes().len(), 29);
    assert_eq!((synced.links().len(), synced.failures()), (1, 1));
    synced.errors()[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_missing_entry_is_reported() {
    let (net, link) = list();
    net.remove(&name(3));
    let error = one_lost(&net, &link).await;
    assert!(
        matches!(
            &error,
            DnsError::Lookup {
                source: LookupError::NotFound,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.name(), name(3));
}

#[tokio::test(start_paused = true)]
async fn an_entry_with_another_hash_is_reported() {
    let (net, link) = list();
    net.set(&name(3), &node(4).to_string());
    let error = one_lost(&net, &link).await;
    let DnsError::WrongHash { name: at, found } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (at.clone(), found.name_in(link.domain())),
        (name(3), name(4))
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_not_an_entry_is_reported() {
    let (net, link) = list();
    net.set(&name(3), "v=spf1 -all");
    let error = one_lost(&net, &link).await;
    assert!(
        matches!(&error, DnsError::NoEntry { name: at } if *at == name(3)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_far_too_long_is_reported() {
    let (net, link) = list();
    net.set(&name(3), &format!("enr:{}", "A".repeat(60_000)));
    let error = one_lost(&net, &link).await;
    let DnsError::Invalid { source, .. } = &error else {
        panic!("{error:?}");
    };
    let (got, limit) = (60_004, MAX_TEXT);
    assert_eq!(*source, EntryError::TooLong { got, limit });
}

#[tokio::test(start_paused = true)]
async fn other_texts_next_to_the_right_ones_do_no_harm() {
    let (net, link) = list();
    for at in net.names() {
        net.add(&at, "v=spf1 -all");
        net.add(&at, "enrtree-root:v1 or not");
        net.add(&at, &node(99).to_string());
        net.add(&at, &format!("enr:{}", "A".repeat(60_000)));
    }
    let synced = sync(&net, &link).await.unwrap();
    assert_eq!((synced.nodes().len(), synced.failures()), (30, 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_with_a_wrong_signature_is_reported() {
    let net = Net::default();
    let bad = node(1).to_string().replacen("enr:-", "enr:_", 1);
    let good = net.put("n", &node(2).to_string());
    let branch = net.put_branch("n", &[net.put("n", &bad), good]);
    let link = net.put_root((1, "n"), 1, branch, net.put_branch("n", &[]));
    let synced = sync(&net, &link).await.unwrap();
    assert_eq!(synced.nodes(), [node(2)]);
    let [DnsError::Invalid { source, .. }] = synced.errors() else {
        panic!("{:?}", synced.errors());
    };
    assert!(matches!(source, EntryError::Record(_)));
}

#[tokio::test(start_paused = true)]
async fn nodes_among_links_and_links_among_nodes() {
    let net = Net::default();
    let other = Link::new(key(9).public_key(), "other".parse().unwrap());
    let (record, other) = (
        net.put("n", &node(1).to_string()),
        net.put("n", &other.to_string()),
    );
    let both = net.put_branch("n", &[record, other]);
    let link = net.put_root((1, "n"), 1, both, both);
    let synced = sync(&net, &link).await.unwrap();
    assert_eq!((synced.nodes().len(), synced.links().len()), (1, 1));
    let name = |error: &DnsError| error.name().to_owned();
    for error in synced.errors() {
        match error {
            DnsError::NodeAmongLinks { .. } => assert_eq!(name(error), format!("{record}.n")),
            DnsError::LinkAmongNodes { .. } => assert_eq!(name(error), format!("{other}.n")),
            _ => panic!("{error:?}"),
        }
    }
    assert_eq!(synced.failures(), 2);
}

#[tokio::test(start_paused = true)]
async fn branches_that_meet_again_are_read_once() {
    let net = Net::default();
    let mut top = net.put_branch("n", &[net.put("n", &node(1).to_string())]);
    // Each branch leads to the one below it in two ways, which gives 2 to the power of 12 paths to
    // the node.
    for _ in 0..12 {
        let left = net.put_branch("n", &[top]);
        top = net.put_branch("n", &[left, top]);
    }
    let link = net.put_root((1, "n"), 1, top, net.put_branch("n", &[]));
    let config = fast().with_max_depth(100);
    let synced = net.client(config).sync(&link).await.unwrap();
    assert_eq!(synced.nodes(), [node(1)]);
    assert_eq!(synced.failures(), 12);
    assert!(
        synced
            .errors()
            .iter()
            .all(|error| matches!(error, DnsError::Repeated { .. }))
    );
    assert_eq!(net.asked().len(), net.names().len());
}

#[tokio::test(start_paused = true)]
async fn a_root_signed_by_another_key_is_rejected() {
    let (net, link) = list();
    let forged = Tree::new(6, [node(1)], []).unwrap().sign(&key(2));
    let root = forged.root();
    net.set("n", &root.to_string());
    let error = sync(&net, &link).await.unwrap_err();
    assert!(
        matches!(&error, DnsError::Invalid { name, source: EntryError::Signature } if name == "n"),
        "{error:?}"
    );
    // Next to the right root, the forged one does no harm.
    let (net, link) = list();
    net.add("n", &root.to_string());
    assert_eq!(sync(&net, &link).await.unwrap().root().seq(), 5);
}

#[tokio::test(start_paused = true)]
async fn no_root() {
    let (net, link) = list();
    net.set("n", "v=spf1 -all");
    let error = sync(&net, &link).await.unwrap_err();
    assert!(matches!(&error, DnsError::NoRoot { name } if name == "n"));
    net.remove("n");
    let error = sync(&net, &link).await.unwrap_err();
    assert!(matches!(
        &error,
        DnsError::Lookup {
            source: LookupError::NotFound,
            ..
        }
    ));
    net.set("n", "enrtree-root:v1 e=1 l=2 seq=3 sig=4");
    let error = sync(&net, &link).await.unwrap_err();
    assert!(matches!(
        &error,
        DnsError::Invalid {
            source: EntryError::Hash { .. },
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn an_older_root_than_a_client_has_seen_is_refused() {
    let (net, link) = list();
    let client = net.client(fast());
    client.sync(&link).await.unwrap();
    net.publish((1, "n"), 4, [node(1)], []);
    let error = client.sync(&link).await.unwrap_err();
    assert!(
        matches!(&error, DnsError::OldRoot { name, got: 4, known: 5 } if name == "n"),
        "{error:?}"
    );
    net.publish((1, "n"), 5, [node(1)], []);
    assert_eq!(client.sync(&link).await.unwrap().nodes(), [node(1)]);
}

//! Texts of links, roots and entries, and the creation of trees.

use std::collections::BTreeMap;

use super::net::{key, node};
use super::vectors::{LINK, LINKED, NODES, RECORDS, ROOT, link, secret};
use crate::dns::{Domain, Entry, EntryError, EntryHash, Link, MAX_TEXT, Root, Tree, TreeError};
use crate::node::{KeyError, NodeRecord, RecordError};

fn entry(text: &str) -> Result<Entry, EntryError> {
    text.parse()
}

#[test]
fn the_published_link_has_the_published_key() {
    let link = link();
    assert_eq!(*link.key(), secret().public_key());
    assert_eq!(
        link.key().to_string(),
        "9f88229042fef9200246f49f94d9b77c4e954721442714e85850cb6d9e5daf2d\
         880ea0e53cb3ac1a75f9923c2726a4f941f7d326781baa6380754a360de5c2b6"
    );
    assert_eq!(link.to_string(), LINK);
    let shouted = LINK.replace("@n", "@Nodes.Example.ORG.");
    let shouted: Link = shouted.parse().unwrap();
    assert_eq!(shouted.domain().as_str(), "nodes.example.org");
}

#[test]
fn texts_that_are_not_links() {
    let rest = |rest: &str| format!("enrtree://{rest}").parse::<Link>();
    assert_eq!(rest("nodes.example.org"), Err(EntryError::NoKey));
    for short_or_long in [
        "AP62DT7WOTEQZGQZOU474PP3KMEGVTTE7A7NPRXKX3DUD57",
        "AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2AAA",
        "akpyqiuqil7psiaci32j7fgzw56e5fkhefccofhilbimw3m6lwxs2",
        // The unused last bits are not zero.
        "AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS3",
    ] {
        assert_eq!(
            rest(&format!("{short_or_long}@n")),
            Err(EntryError::KeyBase32),
            "{short_or_long}"
        );
    }
    let length = KeyError::Length {
        got: 5,
        expected: 33,
    };
    assert_eq!(rest("AAAAAAAA@n"), Err(EntryError::Key(length)));
    assert_eq!(
        rest("AP62DT7WONEQZGQZOU474PP3KMEGVTTE7A7NPRXKX3DUD57TQHGIA@n"),
        Err(EntryError::Key(KeyError::NotOnCurve))
    );
    assert!(matches!(
        "http://n".parse::<Link>(),
        Err(EntryError::Unknown { .. })
    ));
    let long = format!("{}.org", ["a".repeat(63).as_str(); 4].join("."));
    for domain in [
        "",
        ".",
        "a..b",
        "a b",
        "ä.org",
        "a.b/",
        &"a".repeat(64),
        &long,
    ] {
        let wrong = rest(&format!(
            "AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@{domain}"
        ));
        assert!(matches!(wrong, Err(EntryError::Domain { .. })), "{domain}");
        assert!(domain.parse::<Domain>().is_err());
    }
}

#[test]
fn the_published_entries_are_read_and_have_their_names() {
    for (name, text) in &RECORDS[1..] {
        let entry = entry(text).unwrap();
        assert_eq!(entry.to_string(), *text);
        assert_eq!(EntryHash::of(text).name_in(link().domain()), *name);
        let hash: EntryHash = name.trim_end_matches(".n").parse().unwrap();
        assert!(hash.matches(text) && !hash.matches(ROOT));
    }
}

#[test]
fn branches() {
    let hash = "AAAAAAAAAAAAAAAAAAAA";
    let branch = |text: &str| entry(&format!("enrtree-branch:{text}"));
    assert_eq!(branch(""), Ok(Entry::Branch(Vec::new())));
    assert_eq!(branch(hash), Ok(Entry::Branch(vec![hash.parse().unwrap()])));
    for wrong in [
        "1,2",
        "AAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAA,",
        "aaaaaaaaaaaaaaaaaaaa",
        // Each hash has only one name, so the unused last bits must be zero.
        "BBBBBBBBBBBBBBBBBBBB",
    ] {
        assert!(
            matches!(branch(wrong), Err(EntryError::Hash { .. })),
            "{wrong}"
        );
    }
    let long = [hash; 23].join(",");
    assert!(branch(&long).is_ok());
    assert_eq!(
        branch(&format!("{long},{hash}")),
        Err(EntryError::TooLong {
            got: 518,
            limit: MAX_TEXT
        })
    );
}

#[test]
fn other_entries() {
    assert!(matches!(entry(NODES[0]), Ok(Entry::Node(_))));
    assert!(matches!(entry(LINKED), Ok(Entry::Link(_))));
    for unknown in ["", "enr", "enrtree", "enrtree-x=", "v=spf1 -all", ROOT] {
        assert!(
            matches!(entry(unknown), Err(EntryError::Unknown { .. })),
            "{unknown}"
        );
    }
    let padded = format!("{}=", NODES[0]);
    assert!(matches!(
        entry(&padded),
        Err(EntryError::Record(RecordError::Base64 { .. }))
    ));
}

#[test]
fn the_published_root_is_signed_by_the_published_key() {
    let root: Root = ROOT.parse().unwrap();
    assert_eq!(root.seq(), 1);
    assert_eq!(root.to_string(), ROOT);
    assert_eq!(root.verify(link().key()), Ok(()));
    assert_eq!(
        root.verify(&key(1).public_key()),
        Err(EntryError::Signature)
    );
    let other: Root = ROOT.replace("seq=1", "seq=2").parse().unwrap();
    assert_eq!(other.verify(link().key()), Err(EntryError::Signature));
}

#[test]
fn texts_that_are_not_roots() {
    let root = |text: &str| text.parse::<Root>();
    assert_eq!(
        root(
            "enrtree-root:v1 e=TO4Q75OQ2N7DX4EOOR7X66A6OM seq=3 sig=N-YY6UB9xD0hFx1Gmnt7v0RfSxch5tKyry2SRDoLx7B4GfPXagwLxQqyf7gAMvApFn_ORwZQekMWa_pXrcGCtw"
        ),
        Err(EntryError::Field { field: "l=" })
    );
    assert_eq!(
        root(
            "enrtree-root:v1 e=TO4Q75OQ2N7DX4EOOR7X66A6OM l=TO4Q75OQ2N7DX4EOOR7X66A6OM seq=3 sig=N-YY6UB9xD0hFx1Gmnt7v0RfSxch5tKyry2SRDoLx7B4GfPXagwLxQqyf7gAMvApFn_ORwZQekMWa_pXrcGCtw"
        ),
        Err(EntryError::SignatureLength {
            got: 64,
            expected: 65
        })
    );
    assert!(root("enrtree-root:v1 e=QFT4PBCRX4XQCV3VUYJ6BTCEPU l=JGUFMSAGI7KZYB3P7IZW4S5Y3A seq=3 sig=3FmXuVwpa8Y7OstZTx9PIb1mt8FrW7VpDOFv4AaGCsZ2EIHmhraWhe4NxYhQDlw5MjeFXYMbJjsPeKlHzmJREQE").is_ok());
    for (from, to) in [
        ("v1 ", "v1  "),
        ("v1 ", "v2 "),
        ("seq=1", "seq=01"),
        ("seq=1", "seq=+1"),
        ("seq=1", "seq="),
        ("seq=1", "seq=18446744073709551616"),
        ("e=", "E="),
        ("e=JWX", "e=jwx"),
        (" sig=", " x=1 sig="),
        ("gA", "gA "),
        ("gA", "gA=="),
        ("gA", &"A".repeat(MAX_TEXT)),
    ] {
        let text = ROOT.replacen(from, to, 1);
        assert_ne!(text, ROOT);
        assert!(root(&text).is_err(), "{text}");
    }
}

#[test]
fn the_published_list_is_reproduced_exactly() {
    let nodes = NODES.map(|node| node.parse::<NodeRecord>().unwrap());
    let tree = Tree::new(1, nodes, [LINKED.parse().unwrap()]).unwrap();
    let signed = tree.sign(&secret());
    let link = signed.link("n".parse().unwrap());
    assert_eq!(link.to_string(), LINK);
    let records: BTreeMap<_, _> = signed.records(link.domain()).collect();
    let published = RECORDS.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(records, BTreeMap::from(published));
}

#[test]
fn trees_of_every_size_contain_all_nodes_in_short_texts() {
    for count in [0, 1, 2, 13, 14, 26, 27, 169, 170, 200] {
        let tree = Tree::new(7, (1..=count).map(node), [])
            .unwrap()
            .sign(&key(1));
        let domain = "nodes.example.org".parse().unwrap();
        let records: Vec<_> = tree.records(&domain).collect();
        assert!(records.iter().all(|(_, text)| text.len() <= 420));
        let is_node = |text: &str| text.starts_with("enr:");
        let nodes = records.iter().filter(|(_, text)| is_node(text)).count();
        assert_eq!(nodes, usize::from(count));
        assert_eq!(records[0].0, "nodes.example.org");
    }
}

#[test]
fn a_tree_contains_a_node_once_with_its_newest_record() {
    let old = node(1);
    let newer = old.update().unwrap();
    let mut secret = [1; 32];
    secret[..2].copy_from_slice(&1u16.to_be_bytes());
    let newer = newer
        .sign(&crate::node::SecretKey::from_bytes(&secret).unwrap())
        .unwrap();
    let link: Link = LINKED.parse().unwrap();
    let one = Tree::new(1, [newer.clone()], [link.clone()]).unwrap();
    let twice = Tree::new(
        1,
        [newer.clone(), old.clone()],
        [link.clone(), link.clone()],
    );
    assert_eq!(twice, Ok(one.clone()));
    assert_eq!(Tree::new(1, [old, newer], [link]), Ok(one));
}

#[test]
fn a_record_with_an_invalid_port_is_refused() {
    let record = NodeRecord::builder(1).value("udp", &70_000u32);
    let record = record.sign(&key(3)).unwrap();
    let node = record.node_id();
    assert_eq!(
        Tree::new(1, [record], []),
        Err(TreeError::Port { node, key: "udp" })
    );
}

//! Lists of nodes in the DNS: texts of links, roots and entries, and damaged lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use peermux::dns::{
    Client, Config, Domain, Entry, EntryHash, Link, LookupError, MAX_TEXT, Resolver, Root,
    SyncedTree, Tree,
};
use peermux::node::{NodeRecord, SecretKey};
use tokio::runtime::{Builder, Runtime};

use super::assert_explained;
use super::enode::returns;
use super::input::Input;

/// The first byte selects the kind of input.
///
/// The input is a text, the end of a text with a valid beginning, or a script of changes to a list.
pub fn dns(data: &[u8]) {
    const LINK: &str = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@";
    const ROOT: &str = "enrtree-root:v1 e=AAAAAAAAAAAAAAAAAAAA l=AAAAAAAAAAAAAAAAAAAA seq=";
    let mut input = Input::new(data);
    let choice = input.byte() % 6;
    if choice == 5 {
        return list(input);
    }
    let beginning = ["", LINK, "enrtree-branch:", "enrtree-root:v1 ", ROOT];
    let beginning = beginning[usize::from(choice)];
    text(&format!(
        "{beginning}{}",
        String::from_utf8_lossy(input.rest())
    ));
}

fn text(text: &str) {
    returns::<Domain>(text);
    let hash = returns::<EntryHash>(text);
    let link = returns::<Link>(text);
    let entry = returns::<Entry>(text);
    let root = returns::<Root>(text);
    assert!(entry.is_none() || root.is_none());
    assert!(text.len() <= MAX_TEXT || (entry.is_none() && root.is_none()));
    assert!(hash.is_none_or(|hash| hash.to_string() == text));
    match entry {
        Some(Entry::Link(found)) => assert_eq!(Some(found), link),
        Some(entry) => assert_eq!(entry.to_string(), text),
        None => {}
    }
    if let Some(root) = root {
        assert_eq!(root.to_string(), text);
        // If this text had a valid signature, the signature would be a forgery.
        assert!(root.verify(&key(1).public_key()).is_err());
    }
    let own = EntryHash::of(text);
    assert!(own.matches(text) && own.to_string().parse() == Ok(own));
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).unwrap()
}

/// Returns the nodes that lists contain. Their records are signed only on the first call.
fn nodes() -> &'static [NodeRecord] {
    static NODES: OnceLock<Vec<NodeRecord>> = OnceLock::new();
    NODES.get_or_init(|| {
        let node = |number: u8| {
            let record = NodeRecord::builder(1).tcp(number.into());
            record.sign(&key(number)).unwrap()
        };
        (1..=17).map(node).collect()
    })
}

/// The texts of a list, by DNS name.
type Texts = BTreeMap<String, Vec<String>>;

struct Zone(Texts);

impl Resolver for Zone {
    async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        self.0.get(name).cloned().ok_or(LookupError::NotFound)
    }
}

/// Signs a list, damages it and reads it. The result must be a subset of the signed nodes.
fn list(mut input: Input<'_>) {
    let count = usize::from(input.byte() % 18);
    let nodes = &nodes()[..count];
    let links = (1..=input.byte() % 4).map(|number| Link::new(key(number).public_key(), domain()));
    let links: BTreeSet<_> = links.collect();
    let config = Config::default()
        .with_max_depth(usize::from(input.byte() % 8))
        .with_max_entries(usize::from(input.byte()) + 1)
        .with_max_bytes(input.u16() + 1)
        .with_cache(usize::from(input.byte()))
        .with_entries_per_second(u32::MAX);
    let tree = Tree::new(7, nodes.iter().cloned(), links.iter().cloned());
    let signed = tree.unwrap().sign(&key(9));
    let link = signed.link(domain());
    let records: Vec<_> = signed.records(link.domain()).collect();
    let texts = records
        .iter()
        .cloned()
        .map(|(name, text)| (name, vec![text]));
    let mut texts: Texts = texts.collect();
    let mut is_whole = true;
    while !input.is_empty() {
        is_whole = false;
        damage(&mut texts, &records, &mut input);
    }
    let client = Client::builder(Zone(texts)).config(config).seed(1).build();
    let client = client.unwrap();
    for _ in 0..2 {
        let synced = match runtime().block_on(client.sync(&link)) {
            Ok(synced) => synced,
            Err(error) => {
                assert!(!is_whole, "{error}");
                return assert_explained(&error);
            }
        };
        check(&synced, nodes, &links, &config);
        assert!(!is_whole || synced.failures() > 0 || synced.nodes().len() == nodes.len());
        assert!(!is_whole || synced.failures() > 0 || synced.links().len() == links.len());
    }
}

fn domain() -> Domain {
    "nodes.example.org".parse().unwrap()
}

fn damage(texts: &mut Texts, records: &[(String, String)], input: &mut Input<'_>) {
    let (name, text) = &records[input.u16() % records.len()];
    match input.byte() % 6 {
        0 => drop(texts.remove(name)),
        1 => {
            let any = String::from_utf8_lossy(input.sized()).into_owned();
            texts.insert(name.clone(), vec![any]);
        }
        2 => {
            let (_, other) = &records[input.u16() % records.len()];
            texts.insert(name.clone(), vec![other.clone()]);
        }
        3 => {
            let mut bytes = text.clone().into_bytes();
            let at = input.u16() % bytes.len();
            bytes[at] = input.byte();
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            texts.insert(name.clone(), vec![changed]);
        }
        4 => {
            let any = String::from_utf8_lossy(input.sized()).into_owned();
            texts.entry(name.clone()).or_default().insert(0, any);
        }
        // The root's text is added after the texts of this name.
        _ => texts
            .entry(name.clone())
            .or_default()
            .push(records[0].1.clone()),
    }
}

fn check(synced: &SyncedTree, nodes: &[NodeRecord], links: &BTreeSet<Link>, config: &Config) {
    assert_eq!(synced.root().seq(), 7);
    assert!(synced.nodes().iter().all(|node| nodes.contains(node)));
    assert!(synced.links().iter().all(|link| links.contains(link)));
    assert!(synced.nodes().len() <= nodes.len().min(config.max_entries()));
    let bytes = synced.nodes().iter().map(|node| node.to_string().len());
    assert!(bytes.sum::<usize>() <= config.max_bytes());
    assert!(synced.errors().len() <= synced.failures());
    for error in synced.errors() {
        assert!(error.name().ends_with("nodes.example.org"));
        assert_explained(error);
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().unwrap())
}

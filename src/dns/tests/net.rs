//! A DNS in memory, and lists in it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use crate::dns::{Client, Config, Entry, EntryHash, Link, LookupError, Resolver, Root, Tree};
use crate::mutex::Mutex;
use crate::node::{NodeRecord, SecretKey};

/// The texts under each name, and the names that were looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct Net(Arc<Mutex<Zone>>);

#[derive(Debug, Default)]
struct Zone {
    texts: BTreeMap<String, Vec<String>>,
    asked: Vec<String>,
    /// Whether no answer ever arrives.
    silent: bool,
}

impl Resolver for Net {
    async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let (silent, texts) = {
            let mut zone = self.0.lock();
            zone.asked.push(name.to_owned());
            (zone.silent, zone.texts.get(name).cloned())
        };
        if silent {
            pending::<()>().await;
        }
        texts.ok_or(LookupError::NotFound)
    }
}

impl Net {
    pub(super) fn of<'a>(records: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let net = Self::default();
        for (name, text) in records {
            net.set(name, text);
        }
        net
    }

    /// Puts one text under a name, replacing the existing texts.
    pub(super) fn set(&self, name: &str, text: &str) {
        let texts = vec![text.to_owned()];
        self.0.lock().texts.insert(name.to_owned(), texts);
    }

    /// Adds a text under a name, before the existing texts.
    pub(super) fn add(&self, name: &str, text: &str) {
        let mut zone = self.0.lock();
        let texts = zone.texts.entry(name.to_owned()).or_default();
        texts.insert(0, text.to_owned());
    }

    pub(super) fn remove(&self, name: &str) {
        self.0.lock().texts.remove(name);
    }

    pub(super) fn silence(&self, silent: bool) {
        self.0.lock().silent = silent;
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().texts.keys().cloned().collect()
    }

    /// The first text under a name.
    pub(super) fn text(&self, name: &str) -> String {
        let zone = self.0.lock();
        zone.texts.get(name).unwrap()[0].clone()
    }

    /// The names that were looked up since the last call.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().asked)
    }

    /// Publishes a list of these nodes and links, signed by the key with this number.
    pub(super) fn publish(
        &self,
        (number, domain): (u8, &str),
        seq: u64,
        nodes: impl IntoIterator<Item = NodeRecord>,
        links: impl IntoIterator<Item = Link>,
    ) -> Link {
        let signed = Tree::new(seq, nodes, links).unwrap().sign(&key(number));
        let link = signed.link(domain.parse().unwrap());
        for (name, text) in signed.records(link.domain()) {
            self.set(&name, &text);
        }
        link
    }

    /// Puts an entry under the name of its hash.
    pub(super) fn put(&self, domain: &str, text: &str) -> EntryHash {
        let hash = EntryHash::of(text);
        self.set(&format!("{hash}.{domain}"), text);
        hash
    }

    /// Puts a branch under the name of its hash.
    pub(super) fn put_branch(&self, domain: &str, children: &[EntryHash]) -> EntryHash {
        self.put(domain, &Entry::Branch(children.to_vec()).to_string())
    }

    /// Publishes a root, signed by the key with this number.
    pub(super) fn put_root(
        &self,
        (number, domain): (u8, &str),
        seq: u64,
        nodes: EntryHash,
        links: EntryHash,
    ) -> Link {
        let root = Root::signed(nodes, links, seq, &key(number));
        self.set(domain, &root.to_string());
        Link::new(key(number).public_key(), domain.parse().unwrap())
    }

    pub(super) fn client(&self, config: Config) -> Client<Self> {
        Client::builder(self.clone())
            .config(config)
            .seed(1)
            .build()
            .unwrap()
    }
}

pub(super) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).unwrap()
}

/// The record of the node with this number.
pub(super) fn node(number: u16) -> NodeRecord {
    let mut secret = [1; 32];
    secret[..2].copy_from_slice(&number.to_be_bytes());
    let key = SecretKey::from_bytes(&secret).unwrap();
    let record = NodeRecord::builder(1).ip([127, 0, 0, 1].into()).tcp(number);
    record.sign(&key).unwrap()
}

/// A configuration whose rate is so high that reading takes no virtual time.
pub(super) fn fast() -> Config {
    Config::default()
        .with_entries_per_second(1_000_000)
        .with_lookup_timeout(Duration::from_secs(1))
}

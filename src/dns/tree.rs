//! Making lists.

use std::collections::{BTreeMap, BTreeSet};

use super::{Domain, Entry, EntryHash, Link, Root, TreeError};
use crate::node::{NodeId, NodeRecord, PublicKey, SecretKey};

/// Maximum number of entries that a branch names.
///
/// An answer with a branch of 13 entries fits into one packet of 512 bytes.
const MAX_CHILDREN: usize = 13;

/// The keys in a record that other implementations read as ports.
const PORTS: [&str; 6] = ["tcp", "tcp6", "udp", "udp6", "quic", "quic6"];

/// A list of nodes and of links to other lists, to be signed and published.
///
/// The tree has the same form as go-ethereum's: branches of up to 13 entries over the nodes, sorted
/// by id, and over the links, sorted too. So the two implementations create the same entries for
/// the same list.
///
/// ```
/// use peermux::dns::Tree;
/// use peermux::node::{NodeRecord, SecretKey};
///
/// let node = NodeRecord::builder(1).ip([203, 0, 113, 5].into()).tcp(30303);
/// let node = node.sign(&SecretKey::from_bytes(&[1; 32])?)?;
/// let tree = Tree::new(1, [node], [])?.sign(&SecretKey::from_bytes(&[2; 32])?);
///
/// let domain = "nodes.example.org".parse()?;
/// for (name, text) in tree.records(&domain) {
///     println!("{name}. 3600 IN TXT {text:?}");
/// }
/// println!("{}", tree.link(domain));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    seq: u64,
    nodes: EntryHash,
    links: EntryHash,
    /// The texts of the entries.
    entries: BTreeMap<EntryHash, String>,
}

impl Tree {
    /// Creates the tree of these nodes and links.
    ///
    /// Of several records of a node, the newest is used. The sequence number must be higher than
    /// that of any list published under the same name before.
    ///
    /// # Errors
    /// [`TreeError`] if a record cannot be in a list.
    pub fn new(
        seq: u64,
        nodes: impl IntoIterator<Item = NodeRecord>,
        links: impl IntoIterator<Item = Link>,
    ) -> Result<Self, TreeError> {
        let mut newest: BTreeMap<NodeId, NodeRecord> = BTreeMap::new();
        for record in nodes {
            check_ports(&record)?;
            let known = newest.get(&record.node_id());
            if known.is_none_or(|known| known.seq() < record.seq()) {
                newest.insert(record.node_id(), record);
            }
        }
        let links: BTreeSet<Link> = links.into_iter().collect();
        let mut entries = BTreeMap::new();
        let nodes = build(&mut entries, newest.into_values().map(Entry::Node));
        let links = build(&mut entries, links.into_iter().map(Entry::Link));
        Ok(Self {
            seq,
            nodes,
            links,
            entries,
        })
    }

    /// Signs the list.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> SignedTree {
        SignedTree {
            root: Root::signed(self.nodes, self.links, self.seq, key),
            entries: self.entries,
            key: key.public_key(),
        }
    }
}

/// A signed list, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTree {
    root: Root,
    entries: BTreeMap<EntryHash, String>,
    key: PublicKey,
}

impl SignedTree {
    /// The root.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The link by which others find the list at `domain`.
    #[must_use]
    pub fn link(&self, domain: Domain) -> Link {
        Link::new(self.key, domain)
    }

    /// Returns the TXT records to publish at `domain`: full names and their texts.
    ///
    /// The names have no dot at their end. The root comes first. Only the root ever changes, so all
    /// other records may be cached for weeks. Publish a new list's entries before its root, and
    /// keep the old list's entries for as long as its root may be cached.
    pub fn records(&self, domain: &Domain) -> impl Iterator<Item = (String, String)> {
        let root = (domain.to_string(), self.root.to_string());
        let entries = self.entries.iter();
        let entries = entries.map(move |(hash, text)| (hash.name_in(domain), text.clone()));
        std::iter::once(root).chain(entries)
    }
}

fn check_ports(record: &NodeRecord) -> Result<(), TreeError> {
    let is_wrong = |key: &&&str| {
        let mut pairs = record.pairs();
        pairs.any(|(there, _)| there == key.as_bytes()) && record.get::<u16>(key).is_none()
    };
    match PORTS.iter().find(is_wrong) {
        None => Ok(()),
        Some(key) => Err(TreeError::Port {
            node: record.node_id(),
            key,
        }),
    }
}

/// Adds leaves and the branches above them to `entries`, and returns the topmost entry's hash.
fn build(
    entries: &mut BTreeMap<EntryHash, String>,
    leaves: impl Iterator<Item = Entry>,
) -> EntryHash {
    let mut put = |entry: Entry| {
        let text = entry.to_string();
        let hash = EntryHash::of(&text);
        entries.insert(hash, text);
        hash
    };
    let mut level: Vec<_> = leaves.map(&mut put).collect();
    loop {
        level = match level.as_slice() {
            [] => vec![put(Entry::Branch(Vec::new()))],
            [only] => return *only,
            many => {
                let branches = many.chunks(MAX_CHILDREN);
                let branches = branches.map(|children| match children {
                    [only] => *only,
                    children => put(Entry::Branch(children.to_vec())),
                });
                branches.collect()
            }
        };
    }
}

//! Lists of nodes in the DNS: each side reads the other's from a real server.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use peermux::dns::{
    Client, Config, DnsError, DnsResolver, EntryError, Link, LookupError, SignedTree, Tree,
};
use peermux::{NodeRecord, SecretKey};
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::Case;
use crate::foreign::{Foreign, Implementation, output};
use crate::program::{DEADLINE, Program};

const DOMAIN: &str = "nodes.example.org";
const PASSWORD: &str = "a password";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("dns::devp2p_signs_and_we_read", devp2p_signs).only(Implementation::Geth),
        Case::new("dns::we_sign_and_they_read", we_sign).only(Implementation::Geth),
        Case::new("dns::damage_over_the_network", damage).only(Implementation::Geth),
    ]
}

/// Returns the nodes of a list. They are enough for two levels of branches.
fn nodes() -> Vec<NodeRecord> {
    let node = |number: u16| {
        let mut secret = [1; 32];
        secret[..2].copy_from_slice(&number.to_be_bytes());
        let key = SecretKey::from_bytes(&secret).expect("a key");
        let record = NodeRecord::builder(number.into()).ip([127, 0, 0, 1].into());
        record.tcp(number).sign(&key).expect("a short record")
    };
    (1..=200).map(node).collect()
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[5; 32]).expect("a key")
}

fn links(count: u8) -> Vec<Link> {
    let link = |number: u8| {
        let key = SecretKey::from_bytes(&[number; 32]).expect("a key");
        let domain = format!("list-{number}.example.org");
        Link::new(key.public_key(), domain.parse().expect("a name"))
    };
    (1..=count).map(link).collect()
}

fn ours(links: Vec<Link>) -> (SignedTree, Link) {
    let tree = Tree::new(1, nodes(), links).expect("good ports");
    let signed = tree.sign(&key());
    let link = signed.link(DOMAIN.parse().expect("a name"));
    (signed, link)
}

/// Publishes texts on a DNS server.
fn publish<'a>(server: &mut Program, records: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (name, text) in records {
        server.say(&format!("set {name} {text}"));
        assert_eq!(server.event("set")["name"], name);
    }
}

fn client(server: SocketAddr) -> Client<DnsResolver> {
    let resolver = DnsResolver::servers(&[server]).expect("one is given");
    let config = Config::default().with_entries_per_second(100_000);
    let client = Client::builder(resolver).config(config).build();
    client.expect("settings that work")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    let bounded = async { timeout(DEADLINE, future).await };
    let done = runtime.expect("a runtime").block_on(bounded);
    done.expect("done before the deadline")
}

fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    all.into_iter().map(|one| one.to_string()).collect()
}

/// Writes a folder that `devp2p dns sign` turns into a list.
fn definition(folder: &Path) {
    let nodes = nodes().into_iter().map(|record| {
        let about = json!({ "seq": record.seq(), "record": record.to_string() });
        (record.node_id().to_string(), about)
    });
    let nodes: Map<String, Value> = nodes.collect();
    // Use only one link. With several links, `devp2p` does not keep them in the order that it has
    // signed.
    let links = texts(links(1));
    let write = |name: &str, value: Value| {
        fs::write(folder.join(name), value.to_string()).expect("a file");
    };
    write("nodes.json", Value::Object(nodes));
    write("enrtree-info.json", json!({ "seq": 0, "links": links }));
}

fn devp2p(foreign: &Foreign, arguments: &[&str]) -> String {
    let devp2p = foreign.devp2p.as_ref().expect("built with the node");
    let child = Command::new(devp2p)
        .args(["dns"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{PASSWORD}").expect("it reads its input");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let logged = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{logged}");
    printed
}

/// Returns the records of a list that `devp2p dns sign` made.
fn signed_by_devp2p(foreign: &Foreign) -> Map<String, Value> {
    let folder: PathBuf = output().join(format!("dns-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    definition(&folder);
    let [key_file, records] = ["key.json", "records.json"].map(|name| folder.join(name));
    let [key_file, records] = [&key_file, &records].map(|path| path.to_str().expect("a path"));
    let at = folder.to_str().expect("a path");
    foreign.write_key(&key(), PASSWORD, key_file);
    devp2p(
        foreign,
        &["sign", "--domain", DOMAIN, "--seq", "1", at, key_file],
    );
    devp2p(foreign, &["to-txt", at, records]);
    let written = fs::read(records).expect("it was written");
    fs::remove_dir_all(&folder).expect("it is ours");
    let Ok(Value::Object(records)) = serde_json::from_slice(&written) else {
        panic!("no records");
    };
    records
}

fn devp2p_signs(foreign: &Foreign) {
    let theirs = signed_by_devp2p(foreign);
    // Our list of the same nodes equals `devp2p`'s in every text, including the signature.
    let (signed, link) = ours(links(1));
    let ours: Map<String, Value> = signed
        .records(link.domain())
        .map(|(name, text)| (name, text.into()))
        .collect();
    assert_eq!(theirs, ours);

    let (mut server, address) = foreign.dns();
    let records = theirs.iter();
    publish(
        &mut server,
        records.map(|(name, text)| (name.as_str(), text.as_str().expect("a text"))),
    );
    let client = client(address);
    let synced = block_on(client.sync(&link)).expect("a root");
    assert!(synced.errors().is_empty(), "{:?}", synced.errors());
    assert_eq!(synced.root().nodes(), signed.root().nodes());
    assert_eq!(texts(synced.nodes()), texts(nodes()));
    assert_eq!(texts(synced.links()), texts(links(1)));

    let mut walk = client.walk([link]);
    let found = block_on(async {
        let mut found = BTreeSet::new();
        // The second list does not exist, which is reported as an error.
        while found.len() < nodes().len() {
            if let Some(Ok(record)) = walk.next().await {
                found.insert(record.to_string());
            }
        }
        found
    });
    assert_eq!(found, texts(nodes()));
}

fn we_sign(foreign: &Foreign) {
    let (signed, link) = ours(links(20));
    let (mut server, _) = foreign.dns();
    let records: Vec<_> = signed.records(link.domain()).collect();
    let records = records.iter();
    publish(
        &mut server,
        records.map(|(name, text)| (name.as_str(), text.as_str())),
    );
    server.say(&format!("sync {link}"));
    let synced = server.event("synced");
    assert_eq!(synced["error"], Value::Null, "{synced}");
    assert_eq!(synced["seq"], 1);
    let list = |name: &str| {
        let list = synced[name].as_array().expect("a list");
        texts(list.iter().map(|one| one.as_str().expect("a text")))
    };
    assert_eq!(list("nodes"), texts(nodes()));
    assert_eq!(list("links"), texts(links(20)));
}

fn damage(foreign: &Foreign) {
    let (mut server, address) = foreign.dns();
    let tree = Tree::new(1, nodes().into_iter().take(13), []).expect("good ports");
    let signed = tree.sign(&key());
    let link = signed.link(DOMAIN.parse().expect("a name"));
    let records: Vec<_> = signed.records(link.domain()).collect();
    let mut places: Vec<_> = records.clone();
    places.retain(|(_, text)| text.starts_with("enr:"));
    let [(giant, _), (other, _), (gone, _), ..] = &places[..] else {
        panic!("too few nodes");
    };
    let kept = records.iter().filter(|(name, _)| name != gone);
    publish(
        &mut server,
        kept.map(|(name, text)| (name.as_str(), text.as_str())),
    );
    // This text is too long for an answer over UDP.
    let long = format!("enr:{}", "A".repeat(50_000));
    let (_, wrong) = &places[4];
    publish(
        &mut server,
        [
            (giant.as_str(), long.as_str()),
            (other.as_str(), wrong.as_str()),
        ],
    );
    let synced = block_on(client(address).sync(&link)).expect("a root");
    assert_eq!((synced.nodes().len(), synced.failures()), (10, 3));
    for error in synced.errors() {
        let name = match error {
            DnsError::Invalid {
                source: EntryError::TooLong { .. },
                ..
            } => giant,
            DnsError::WrongHash { .. } => other,
            DnsError::Lookup {
                source: LookupError::NotFound,
                ..
            } => gone,
            _ => panic!("{error:?}"),
        };
        assert_eq!(error.name(), name);
    }
}

//! Makes a list with `peermux dns`, serves it from a DNS server, and reads it.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use peermux::{NodeRecord, SecretKey};

use crate::folder::Folder;
use crate::process::{Peermux, run};
use crate::tmux::Tmux;

/// The nodes in the example of EIP-1459.
pub(crate) const NODES: [&str; 2] = [
    "enr:-HW4QOFzoVLaFJnNhbgMoDXPnOvcdVuj7pDpqRvh6BRDO68aVi5ZcjB3vzQRZH2IcLBGHzo8uUN3snqmgTiE56CH3AMBgmlkgnY0iXNlY3AyNTZrMaECC2_24YYkYHEgdzxlSNKQEnHhuNAbNlMlWJxrJxbAFvA",
    "enr:-HW4QAggRauloj2SDLtIHN1XBkvhFZ1vtf1raYQp9TBW2RD5EEawDzbtSmlXUfnaHcvwOizhVYLtr7e6vw7NAf6mTuoCgmlkgnY0iXNlY3AyNTZrMaECjrXI8TLNXU0f8cthpAMxEshUyQlK-AM0PW2wfrnacNI",
];

const LINK: &str =
    "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org";

const KEY: &str = "dc599867fc513f8f5e2c2c9c489cde5e71362d1d9ec6e693e0de063236ed1240";

/// A DNS server over UDP, which stops when dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(texts: BTreeMap<String, String>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound").to_string();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread = thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let answer = answer(&query[..length], &texts);
                socket.send_to(&answer, from).expect("loopback");
            }
        });
        Self {
            address,
            stopped,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let waking = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        waking.send_to(&[], &self.address).expect("loopback");
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it answered all");
        }
    }
}

/// Returns the response to a query with one question (RFC 1035).
fn answer(query: &[u8], texts: &BTreeMap<String, String>) -> Vec<u8> {
    let (mut name, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        name.push(String::from_utf8(label.to_vec()).expect("ASCII"));
        at += 1 + label.len();
    }
    let question = &query[12..at + 5];
    let text = texts.get(&name.join("."));
    let code = if text.is_some() { 0 } else { 3 };
    let mut answer = query[..2].to_vec();
    answer.extend([
        0x85,
        0x80 | code,
        0,
        1,
        0,
        u8::from(text.is_some()),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question);
    if let Some(text) = text {
        let strings = text.as_bytes().chunks(255);
        let data: Vec<u8> = strings
            .flat_map(|string| [&[string.len() as u8], string].concat())
            .collect();
        // The answer has the name at byte 12, type TXT, class IN and a time to live of one minute.
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    answer
}

/// Makes a list, and returns its link and its records.
fn tree(folder: &Folder) -> (String, BTreeMap<String, String>) {
    list(&made(folder))
}

/// Makes a list of two nodes and a link to another list. Returns the lines of `dns tree`.
pub(crate) fn made(folder: &Folder) -> Vec<serde_json::Value> {
    let nodes = folder.text("nodes.txt");
    let text = format!("# two\n{}\n\n  {} # the other\n", NODES[0], NODES[1]);
    fs::write(&nodes, text).expect("a file");
    let fixed = ["dns", "tree", "--key", KEY, "--domain", "n.example.org"];
    let made = ["--seq", "3", "--nodes", &nodes, "--link", LINK, "--json"];
    let made = run(&[&fixed[..], &made].concat()).events();
    assert_eq!(made.last().expect("lines")["seq"], 3);
    made
}

/// Makes a list of these records, and returns its link and the records to serve.
pub(crate) fn list_of(folder: &Folder, nodes: &str) -> (String, BTreeMap<String, String>) {
    let nodes = folder.file("nodes.txt", nodes);
    let made = ["dns", "tree", "--key", KEY, "--domain", "n.example.org"];
    let made = [&made[..], &["--seq", "1", "--nodes", &nodes, "--json"]].concat();
    list(&run(&made).events())
}

/// Returns the link and the records in the output of `dns tree`.
pub(crate) fn list(made: &[serde_json::Value]) -> (String, BTreeMap<String, String>) {
    let (end, records) = made.split_last().expect("lines");
    assert_eq!(end["event"], "signed");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let records = records
        .iter()
        .map(|record| (text(&record["name"]), text(&record["text"])));
    (text(&end["link"]), records.collect())
}

#[test]
fn a_list_is_made_and_read_again() {
    let folder = Folder::new();
    let (link, records) = tree(&folder);
    assert!(records["n.example.org"].starts_with("enrtree-root:v1 "));
    assert_eq!(records.len(), 5);
    let server = Server::start(records);
    let read = run(&[
        "dns",
        "sync",
        &link,
        "--dns-server",
        &server.address,
        "--json",
    ])
    .events();
    let (end, found) = read.split_last().expect("lines");
    assert_eq!(end["event"], "synced");
    assert_eq!(end["domain"], "n.example.org");
    assert_eq!(
        (&end["nodes"], &end["links"], &end["failures"]),
        (&2.into(), &1.into(), &0.into())
    );
    let mut nodes: Vec<_> = found
        .iter()
        .filter_map(|line| line["record"].as_str())
        .collect();
    nodes.sort_unstable();
    let mut expected = NODES;
    expected.sort_unstable();
    assert_eq!(nodes, expected);
    assert!(found.iter().any(|line| line["link"] == LINK));
}

#[test]
fn a_node_dials_those_of_a_list() {
    let folder = Folder::new();
    let mut listed = Peermux::start(&["listen", "--addr", "127.0.0.1:0", "--json"]);
    listed.event("listening");
    let record = listed.event("record")["record"].clone();
    let record = record.as_str().expect("a record");
    let (link, records) = list_of(&folder, record);
    let server = Server::start(records);
    let (mut node, _) = Peermux::listen(&["--dns", &link, "--dns-server", &server.address]);
    assert_eq!(node.event("peer_add")["direction"], "outbound");
    listed.event("peer_add");
}

#[test]
fn what_is_missing_is_told_and_is_a_failure() {
    let folder = Folder::new();
    let (link, mut records) = tree(&folder);
    records.retain(|_, text| text != NODES[0]);
    let server = Server::start(records.clone());
    let (line, output) = run(&["dns", "sync", &link, "--dns-server", &server.address]).failed();
    assert_eq!(line, "the list is incomplete, failures: 1");
    assert!(output.iter().any(|line| line == NODES[1]), "{output:?}");
    let is_error = |line: &&String| {
        line.ends_with(".n.example.org: the lookup failed: there is no text under this name")
    };
    assert_eq!(output.iter().filter(is_error).count(), 1, "{output:?}");

    records.remove("n.example.org");
    let server = Server::start(records);
    let (line, output) = run(&["dns", "sync", &link, "--dns-server", &server.address]).failed();
    assert_eq!(
        line,
        "n.example.org: the lookup failed: there is no text under this name"
    );
    assert!(output.is_empty());
}

#[test]
fn wrong_input_is_named() {
    let folder = Folder::new();
    let nodes = folder.text("nodes.txt");
    fs::write(&nodes, format!("{}\nenode://1\n", NODES[0])).expect("a file");
    let arguments = [
        "dns", "tree", "--domain", "n", "--seq", "1", "--nodes", &nodes,
    ];
    let (line, _) = run(&[&arguments[..], &["--key", KEY]].concat()).failed();
    assert!(line.contains("nodes.txt: line 2: "), "{line}");
}

#[test]
fn a_terminal_shows_how_many_names_are_read_until_ctrl_c() {
    let Some(terminal) = Tmux::start(120, 24) else {
        return;
    };
    let folder = Folder::new();
    let nodes = (0..100).map(|_| {
        let record = NodeRecord::builder(1).sign(&SecretKey::generate());
        format!("{}\n", record.expect("a record"))
    });
    let (link, records) = list_of(&folder, &nodes.collect::<String>());
    let server = Server::start(records);
    let binary = env!("CARGO_BIN_EXE_peermux");
    let sync = format!("{binary} dns sync {link} --dns-server {}", server.address);
    // Ten names are looked up at once, and then one in a second.
    terminal.line(&format!("clear; {sync} --rate 1; echo ended-$?"));
    terminal.shows(&["reading for ", ", at most 30m 0s, names looked up: 1"]);
    terminal.press(&["C-c"]);
    let screen = terminal.shows(&["ended-0"]);
    // The line was cleared.
    assert!(!screen.contains("at most"), "{screen}");
}

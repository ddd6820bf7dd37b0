//! Compares the examples in docs/json.md with real output.
//!
//! Each test runs the commands of some sections. Each line must have the keys of its example, and each
//! example must have a line.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::dns::{self, NODES};
use crate::folder::Folder;
#[cfg(all(feature = "nat", target_os = "linux"))]
use crate::foreign::router;
use crate::foreign::{closed_port, enode_at};
use crate::process::{Ended, Peermux, parse, run};
use crate::{discovery, process};

const CHAPTER: &str = include_str!("../../../docs/json.md");

/// The sections with examples, each of which is checked by a test here.
const SECTIONS: [&str; 10] = [NODE, PEERS, WHY, PING, CHAT, CRAWL, RECORD, DNS, DEMO, KEY];
const NODE: &str = "`peermux listen`";
const PEERS: &str = "`peermux peers`";
const WHY: &str = "`peermux why`";
const PING: &str = "`peermux ping` and `bench`";
const CHAT: &str = "`peermux chat`";
const CRAWL: &str = "`peermux crawl`";
const RECORD: &str = "`peermux resolve` and `record`";
const DNS: &str = "`peermux dns`";
const DEMO: &str = "`peermux demo`";
const KEY: &str = "`peermux key` and `config`";

/// Returns whether no command here prints this kind of line.
fn is_elsewhere(kind: &str) -> bool {
    match kind {
        // A unit test compares the example, because this takes megabytes of unread output.
        "lost" => true,
        // The test of the event needs a router.
        "record_changed" => !cfg!(all(feature = "nat", target_os = "linux")),
        _ => false,
    }
}

/// Returns the title of each section with examples, and the examples.
fn sections() -> Vec<(&'static str, Vec<Value>)> {
    let sections = CHAPTER.split("\n## ").skip(1);
    let sections = sections.map(|section| {
        let (title, text) = section.split_once('\n').expect("a text");
        let lines = text.lines().filter(|line| line.starts_with('{'));
        (title, lines.map(parse).collect())
    });
    sections.collect()
}

/// Returns the kind of a line. Lines of one kind have the same keys.
fn kind(line: &Value) -> String {
    let event = line["event"].as_str().expect("each line has an event");
    match (event, line["ok"].as_bool(), line["mode"].as_str()) {
        ("result", Some(false), _) => "result of a failure".to_owned(),
        ("result", _, Some("source")) => "result of sink".to_owned(),
        ("result", _, Some(mode)) => format!("result of {mode}"),
        _ => event.to_owned(),
    }
}

/// Checks a failure: an object with a text, and perhaps more about the cause.
fn check_error(error: &Value) {
    let Value::Object(fields) = error else {
        assert!(error.is_null(), "not an object: {error}");
        return;
    };
    let known = ["stage", "fault", "reason", "text"];
    let unknown = fields.keys().find(|key| !known.contains(&key.as_str()));
    assert_eq!(unknown, None, "{error}");
    assert!(error["text"].is_string(), "{error}");
    let one_of = |key: &str, words: &[&str]| match fields.get(key) {
        Some(word) => words.iter().any(|known| word == known),
        None => false,
    };
    let stages = [
        "dial", "auth", "ack", "hello", "frame", "message", "protocol",
    ];
    let is_placed = one_of("stage", &stages) && one_of("fault", &["local", "remote", "io"]);
    assert!(is_placed || fields.len() == 1, "{error}");
    if let Some(reason) = fields.get("reason") {
        assert!(!reason.is_null(), "{error}");
        check_reason(reason);
    }
}

/// Checks the reason in a Disconnect.
fn check_reason(reason: &Value) {
    if !reason.is_null() {
        assert_eq!(process::keys(reason), ["code", "text"], "{reason}");
        assert!(reason["code"].is_u64() && reason["text"].is_string());
    }
}

/// Collects all keys, including those of inner objects. Checks the failures and reasons.
///
/// The names of protocols, settings and kinds of nodes are not keys.
fn keys(line: &Value, below: &str, into: &mut BTreeSet<String>) {
    let Value::Object(fields) = line else {
        return;
    };
    let is_ban = line["event"] == "ban";
    let is_summary = line["event"] == "summary";
    for (key, value) in fields {
        let path = format!("{below}{key}");
        match (key.as_str(), value) {
            ("protocols", Value::Object(protocols)) => {
                for protocol in protocols.values() {
                    keys(protocol, "protocols.*.", into);
                }
            }
            // The keys of these objects are names.
            ("settings" | "left", _) => {}
            ("clients" | "capabilities" | "networks" | "families" | "failures", _)
                if is_summary => {}
            // Inner keys are not collected, because the value depends on the setting.
            ("value" | "default", _) => {}
            // Inner keys are not collected, because they depend on the failure.
            ("error", error) => check_error(error),
            // In a ban, this is the text of who banned.
            ("reason", reason) if is_ban => assert!(reason.is_string(), "{line}"),
            ("reason", reason) => check_reason(reason),
            // The documentation of the library describes the entries of recordings.
            ("entries", _) if line["event"] == "recording" => {}
            ("capabilities" | "endpoints" | "entries", Value::Array(all)) => {
                for one in all {
                    keys(one, &format!("{key}.*."), into);
                }
            }
            _ => keys(value, &format!("{path}."), into),
        }
        into.insert(path);
    }
}

fn keys_of(line: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    keys(line, "", &mut all);
    all
}

/// Compares lines with the examples. The lines must contain each kind of line of these sections.
fn check(titles: &[&str], lines: &[Value]) {
    let sections = sections();
    let all = sections.iter().flat_map(|(_, examples)| examples);
    let examples: BTreeMap<_, _> = all.map(|example| (kind(example), example)).collect();
    let mut seen = BTreeSet::new();
    for line in lines {
        let example = examples.get(&kind(line));
        let example = example.unwrap_or_else(|| panic!("there is no example of {line}"));
        let mut expected = keys_of(example);
        // An empty list does not show the keys of its elements.
        for list in ["capabilities", "entries"] {
            if line[list].as_array().is_some_and(Vec::is_empty) {
                expected.retain(|key| !key.starts_with(&format!("{list}.*.")));
            }
        }
        assert_eq!(keys_of(line), expected, "{line}");
        seen.insert(kind(line));
    }
    for title in titles {
        let section = sections.iter().find(|(other, _)| other == title);
        let (_, examples) = section.expect("a section");
        let mut kinds = examples.iter().map(kind);
        let unseen = kinds.find(|kind| !is_elsewhere(kind) && !seen.contains(kind));
        assert_eq!(unseen, None, "no line of {title} was like this example");
    }
}

#[test]
fn an_event_has_the_same_keys_in_all_sections_and_each_section_is_checked() {
    let with_examples = sections();
    let with_examples = with_examples
        .iter()
        .filter(|(_, examples)| !examples.is_empty());
    let mut titles = Vec::new();
    let mut kinds = BTreeMap::new();
    for (title, examples) in with_examples {
        titles.push(*title);
        for example in examples {
            let keys = keys_of(example);
            let before = kinds.insert(kind(example), keys.clone());
            assert!(before.is_none_or(|before| before == keys), "{example}");
        }
    }
    assert_eq!(titles, SECTIONS);
}

/// Returns the lines of a node, and of the commands that use its admin socket.
fn lines_of_a_node() -> Vec<Value> {
    let folder = Folder::new();
    let home = folder.text("home");
    let nobody = enode_at(([127, 0, 0, 1], 1).into());
    let (mut other, other_enode) = Peermux::listen(&[]);
    let metrics = ["--metrics", "127.0.0.1:0"];
    let arguments = ["--addr", "127.0.0.1:0", "--static", &nobody, "--json"];
    let mut node =
        Peermux::start(&[&["listen", "--data-dir", &home], &metrics[..], &arguments].concat());
    let mut lines = vec![node.json(), node.json(), node.json(), node.json()];
    let enode = lines[0]["enode"].as_str().expect("a URL").to_owned();

    let peers = |arguments: &[&str]| -> Ended {
        run(&[&["peers", "--data-dir", &home, "--json"], arguments].concat())
    };
    lines.extend(peers(&["add", &other_enode]).events());
    let added = node.json();
    let id = added["node_id"].as_str().expect("an id").to_owned();
    lines.push(added);
    other.event("peer_add");
    for arguments in [
        &["--all"][..],
        &["info"],
        &["ban", "192.0.2.7"],
        &["bans"],
        &["unban", "192.0.2.7"],
        &["trust", &id],
        &["distrust", &id],
        &["log-level", "warn"],
        &["kick", &id],
        &["remove", &id],
        &["reconfigure", "max_peers=0"],
    ] {
        lines.extend(peers(arguments).events());
    }
    lines.push(other.event("peer_drop"));
    // The node has no free places for strangers, so it refuses the ping.
    let (_, refused) = run(&["ping", &enode, "--json"]).failed();
    lines.extend(refused.iter().map(|line| parse(line)));
    let why = ["why", "--data-dir", &home, "--json"];
    lines.extend(run(&why).events());
    lines.extend(run(&[&why[..], &[&id[..8]]].concat()).events());
    lines.extend(peers(&["stop"]).events());
    lines.extend(node.ended().events());
    lines
}

/// Returns the lines of a node that rejects a connection and reads its configuration again.
fn lines_of_a_service() -> Vec<Value> {
    let folder = Folder::new();
    let file = folder.file("node.toml", "exempt_local = false\n");
    let mut node = Peermux::service(&file);
    let mut lines = vec![node.json(), node.json()];
    let enode = lines[0]["enode"].as_str().expect("a URL").to_owned();
    run(&["ping", &enode]).succeeded();
    // The second connection from one address comes too soon.
    run(&["ping", &enode]).failed();
    // The lines about the peer and about the rejected connection have no fixed order.
    lines.extend((0..3).map(|_| node.json()));
    let text = "exempt_local = false\nname = \"other\"\nmax_peers = 7\n";
    for text in [text, "max_peers = many\n"] {
        folder.file("node.toml", text);
        node.signal(Signal::HUP);
        lines.push(node.json());
    }
    lines.extend(node.terminated().events());
    lines
}

/// Returns the lines of a node until a router has mapped its port.
#[cfg(all(feature = "nat", target_os = "linux"))]
fn lines_behind_a_router() -> Vec<Value> {
    let nat = format!("pmp:{}", router());
    let listen = ["listen", "--addr", "0.0.0.0:0", "--nat", &nat, "--json"];
    let mut node = Peermux::start(&listen);
    vec![node.json(), node.json(), node.json()]
}

#[test]
fn a_node_and_its_admin_socket_are_as_documented() {
    let mut lines = [lines_of_a_node(), lines_of_a_service()].concat();
    #[cfg(all(feature = "nat", target_os = "linux"))]
    lines.extend(lines_behind_a_router());
    check(&[NODE, PEERS, WHY], &lines);
}

#[test]
fn keys_and_settings_are_as_documented() {
    let folder = Folder::new();
    let file = folder.file("node.toml", "max_peers = 25\n");
    let mut lines = run(&["config", "show", &file, "--json"]).events();
    lines.push(run(&["config", "check", &file, "--json"]).report());
    lines.push(run(&["key", "show", "--key", &"5e".repeat(32), "--json"]).report());
    check(&[KEY], &lines);
}

#[test]
fn pings_and_measurements_are_as_documented() {
    let (_node, enode) = Peermux::listen(&[]);
    let mut lines = vec![run(&["ping", &enode, "--json"]).report()];
    for mode in ["sink", "source", "echo", "handshake"] {
        let bench = ["bench", "--mode", mode, "--count", "5", "--json"];
        lines.push(run(&bench).report());
    }
    let (_socket, closed) = closed_port();
    let closed = enode_at(closed);
    for command in [&["ping"][..], &["bench", "--mode", "echo"]] {
        let (_, failed) = run(&[command, &[&closed, "--json"]].concat()).failed();
        lines.extend(failed.iter().map(|line| parse(line)));
    }
    check(&[PING], &lines);
}

#[test]
fn a_chat_is_as_documented() {
    let listen = ["chat", "--listen", "127.0.0.1:0", "--name", "Ann", "--json"];
    let mut ann = Peermux::start(&listen);
    let mut lines = vec![ann.json()];
    let enode = lines[0]["enode"].as_str().expect("a URL").to_owned();
    let join = |name| Peermux::start(&["chat", "--dial", &enode, "--name", name, "--json"]);
    let mut ben = join("Ben");
    lines.extend([ann.json(), ben.json()]);
    ben.say("one");
    lines.push(ann.json());
    // The line has arrived, so it is in the history of a peer that joins now.
    let mut carl = join("Carl");
    lines.extend([carl.json(), carl.json()]);
    carl.end_input();
    lines.extend(carl.ended().events());
    // Carl came, and left.
    lines.extend([ann.json(), ann.json()]);
    check(&[CHAT], &lines);
}

#[test]
fn a_crawl_is_as_documented() {
    let (_node, enode) = Peermux::listen(&[]);
    let (_socket, closed) = closed_port();
    let folder = Folder::new();
    let list = folder.file("list.txt", &format!("{}\n", enode_at(closed)));
    let fixed = ["crawl", "--bootnode", &enode, "--discovery", "none"];
    let crawl = [&fixed[..], &["--nodes", &list, "--json"]].concat();
    let lines = run(&crawl).events();
    let (summary, nodes) = lines.split_last().expect("a summary");
    assert!(nodes.iter().any(|node| node["error"].is_object()));
    assert_eq!(summary["failed"], 1, "{summary}");
    check(&[CRAWL], &lines);
}

#[test]
fn records_are_as_documented() {
    let (_node, enode, record) = discovery::start(&["--discovery"]);
    let found = run(&["resolve", &enode, "--json"]).report();
    let shown = run(&["record", "show", &record, "--json"]).report();
    let key = "5e".repeat(32);
    let sign = ["record", "sign", "--key", &key, "--ip", "127.0.0.1"];
    let sign = [&sign[..], &["--tcp", "1", "--udp", "1", "--json"]].concat();
    check(&[RECORD], &[found, shown, run(&sign).report()]);
}

#[test]
fn a_list_is_as_documented() {
    let folder = Folder::new();
    let mut lines = dns::made(&folder);
    let (link, mut records) = dns::list(&lines);
    records.retain(|_, text| text != NODES[0]);
    let server = dns::Server::start(records);
    let sync = ["dns", "sync", &link, "--dns-server", &server.address];
    let (_, read) = run(&[&sync[..], &["--json"]].concat()).failed();
    lines.extend(read.iter().map(|line| parse(line)));
    check(&[DNS], &lines);
}

#[test]
fn a_demo_is_as_documented() {
    check(&[DEMO], &run(&["demo", "--json"]).events());
}

#[test]
fn the_check_of_a_failure_sees_what_is_wrong() {
    let reason = json!({ "code": 4, "text": "too many peers" });
    let right = json!({ "stage": "hello", "fault": "remote", "reason": reason, "text": "full" });
    check_error(&right);
    check_error(&json!({ "text": "full" }));
    let wrong = [
        json!("full"),
        json!({ "stage": "hello", "fault": "remote" }),
        json!({ "stage": "hello", "text": "full" }),
        json!({ "reason": reason, "text": "full" }),
        json!({ "stage": "hello", "fault": "nobody", "text": "full" }),
        json!({ "stage": "hello", "fault": "remote", "reason": 4, "text": "full" }),
        json!({ "text": "full", "more": 1 }),
    ];
    for error in wrong {
        let checked = std::panic::catch_unwind(|| check_error(&error));
        assert!(checked.is_err(), "{error}");
    }
}

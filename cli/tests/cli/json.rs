//! Compares the examples in docs/json.md with real output.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::folder::Folder;
use crate::process::{Ended, Peermux, parse, run};

const CHAPTER: &str = include_str!("../../../docs/json.md");

/// Returns the example of each event.
fn examples() -> BTreeMap<String, Value> {
    let lines = CHAPTER.lines().filter(|line| line.starts_with('{'));
    let lines = lines.map(parse);
    lines.map(|line| (event(&line).to_owned(), line)).collect()
}

fn event(line: &Value) -> &str {
    line["event"].as_str().expect("each line has an event")
}

/// Collects all keys, including those of inner objects, but not names of protocols or settings.
fn keys(line: &Value, below: &str, into: &mut BTreeSet<String>) {
    let Value::Object(fields) = line else {
        return;
    };
    for (key, value) in fields {
        let path = format!("{below}{key}");
        match (key.as_str(), value) {
            ("protocols", Value::Object(protocols)) => {
                for protocol in protocols.values() {
                    keys(protocol, "protocols.*.", into);
                }
            }
            ("settings", _) => {}
            // Inner keys are not collected, because the value depends on the setting.
            ("value" | "default", _) => {}
            // Inner keys are not collected, because they depend on the failure.
            ("error" | "reason", _) => {}
            ("capabilities", Value::Array(all)) => {
                for one in all {
                    keys(one, "capabilities.*.", into);
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

/// Returns lines of all kinds, from real nodes.
fn real_lines() -> Vec<Value> {
    let folder = Folder::new();
    let home = folder.text("home");
    let nobody = format!("enode://{NOBODY}@127.0.0.1:1");
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
    lines.push(run(&["ping", &other_enode, "--json"]).report());
    lines.push(run(&["key", "show", "--key", &"5e".repeat(32), "--json"]).report());
    let file = folder.file("node.toml", "max_peers = 25\n");
    lines.push(run(&["config", "check", &file, "--json"]).report());
    lines.extend(run(&["config", "show", &file, "--json"]).events());
    let bench = ["bench", "--mode", "sink", "--count", "10", "--json"];
    lines.push(run(&bench).report());
    let why = ["why", "--data-dir", &home, "--json"];
    lines.extend(run(&why).events());
    lines.extend(run(&[&why[..], &[&id[..8]]].concat()).events());
    lines.extend(peers(&["stop"]).events());
    lines.extend(node.ended().events());
    lines
}

/// A valid public key, which is a point on the curve.
const NOBODY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

#[test]
fn each_line_has_the_keys_of_its_example() {
    let examples = examples();
    let mut seen = BTreeSet::new();
    for line in real_lines() {
        let example = examples.get(event(&line));
        let example = example.unwrap_or_else(|| panic!("there is no example of {line}"));
        assert_eq!(keys_of(&line), keys_of(example), "{line}");
        seen.insert(event(&line).to_owned());
    }
    let all: BTreeSet<_> = examples.into_keys().collect();
    let unseen: Vec<_> = all.difference(&seen).collect();
    assert!(
        unseen.is_empty(),
        "no line was like these examples: {unseen:?}"
    );
}

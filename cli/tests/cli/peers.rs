use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use peermux::NodeRecord;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::process::{Ended, Peermux, parse, run};

/// A node with an admin socket.
struct Node {
    folder: Folder,
    process: Peermux,
    enode: String,
}

impl Node {
    fn start(arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let home = folder.text("home");
        let (process, enode) = Peermux::listen(&[&["--data-dir", &home], arguments].concat());
        Self {
            folder,
            process,
            enode,
        }
    }

    /// Waits for the end of the node, and starts it again with the same folder.
    fn again(self) -> Self {
        let Self {
            folder, process, ..
        } = self;
        process.ended();
        let home = folder.text("home");
        let (process, enode) = Peermux::listen(&["--data-dir", &home]);
        Self {
            folder,
            process,
            enode,
        }
    }

    /// Runs `peermux peers` for this node.
    fn peers(&self, arguments: &[&str]) -> Ended {
        let home = self.folder.text("home");
        run(&[&["peers", "--data-dir", &home], arguments].concat())
    }

    /// Connects to the node's admin socket.
    fn admin(&self) -> BufReader<UnixStream> {
        let path = self.folder.path("home/admin.sock");
        BufReader::new(UnixStream::connect(path).expect("the node runs"))
    }
}

fn ask(admin: &mut BufReader<UnixStream>, request: &str) -> Value {
    writeln!(admin.get_mut(), "{request}").expect("the node reads");
    parse(&answer(admin))
}

/// Reads the next line. At the end of input the line is empty.
fn answer(admin: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    admin.read_line(&mut line).expect("the node answers");
    line
}

#[test]
fn the_table_has_a_line_for_each_peer() {
    let mut node = Node::start(&[]);
    assert_eq!(node.peers(&[]).succeeded(), ["no peers"]);
    assert!(node.peers(&["--json"]).events().is_empty());

    let (_other, enode) = Peermux::listen(&[]);
    let added = node.peers(&["add", &enode, "--json"]).events();
    assert_eq!(added[0]["event"], "added");
    let peer = node.process.event("peer_add");
    assert_eq!(peer["node_id"], added[0]["node_id"]);

    let listed = node.peers(&["--json"]).events();
    let [listed] = listed.as_slice() else {
        panic!("not one line: {listed:?}");
    };
    assert_eq!(listed["event"], "peer");
    assert_eq!(listed["node_id"], peer["node_id"]);
    assert_eq!(listed["capabilities"], peer["capabilities"]);
    assert_eq!(listed["static"], true);
    assert_eq!(listed["direction"], "outbound");
    assert_eq!(listed["addr"], peer["addr"]);
    assert_eq!(listed["protocols"]["echo"]["received"], 0);

    let lines = node.peers(&[]).succeeded();
    let [header, line, totals] = lines.as_slice() else {
        panic!("a header, a peer, the totals: {lines:?}");
    };
    assert!(header.starts_with("node id "), "{header}");
    let id = peer["node_id"].as_str().expect("an id");
    let addr = peer["addr"].as_str().expect("an address");
    let version = env!("CARGO_PKG_VERSION");
    let words: Vec<_> = line.split_whitespace().collect();
    let client = format!("peermux/v{version}");
    assert_eq!(words[..5], [id, "out", addr, &client, "bench/1,echo/1"]);
    assert!(line.ends_with(" static"), "{line}");
    assert!(
        totals.starts_with("1 peer, 0 inbound and 1 outbound"),
        "{totals}"
    );
}

#[test]
fn who_should_be_connected_and_is_not_has_a_cause() {
    let nobody = format!("enode://{NOBODY}@127.0.0.1:1");
    let mut node = Node::start(&["--static", &nobody]);
    let failed = node.process.event("dial_failed");
    assert_eq!(failed["error"]["stage"], "dial");
    let lines = node.peers(&["--all"]).succeeded();
    assert_eq!(lines[0], "no peers");
    let line = &lines[1];
    let start = format!("not connected: {} 127.0.0.1:1: ", id_text(&failed));
    assert!(
        line.starts_with(&start) && line.contains("next try in"),
        "{line}"
    );
    let listed = node.peers(&["--all", "--json"]).report();
    assert_eq!(listed["event"], "static_node");
    assert_eq!(listed["error"]["fault"], "io");
}

#[test]
fn the_last_events_are_answered_with_their_numbers() {
    let nobody = format!("enode://{NOBODY}@127.0.0.1:1");
    let mut node = Node::start(&["--static", &nobody]);
    let mut failed = node.process.event("dial_failed");
    let mut admin = node.admin();
    let events = ask(&mut admin, r#"{"command":"events"}"#);
    failed["number"] = 1.into();
    assert_eq!(events["ok"][0], failed);
    let none = ask(&mut admin, r#"{"command":"events","after":9}"#);
    assert_eq!(none, json!({ "ok": [] }));
}

#[test]
fn the_tables_of_discovery_are_counted() {
    let node = Node::start(&[]);
    let request = r#"{"command":"discovery"}"#;
    let off = ask(&mut node.admin(), request);
    assert_eq!(off, json!({ "ok": { "v4": null, "v5": null } }));
    let home = Folder::new();
    let socket = home.text("admin.sock");
    let options = ["--admin", &socket, "--discovery", "v4"];
    let (_node, _) = Peermux::listen(&options);
    let stream = UnixStream::connect(&socket).expect("the node runs");
    let on = ask(&mut BufReader::new(stream), request);
    let empty = json!({ "nodes": 0, "live": 0 });
    assert_eq!(on, json!({ "ok": { "v4": empty, "v5": null } }));
}

/// A valid public key, which is a point on the curve.
const NOBODY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

fn id_text(event: &Value) -> String {
    event["node_id"].as_str().expect("an id").to_owned()
}

#[test]
fn nodes_are_kicked_and_banned_until_that_is_lifted() {
    let (_other, enode) = Peermux::listen(&[]);
    let mut node = Node::start(&["--static", &enode]);
    let id = id_text(&node.process.event("peer_add"));
    assert_eq!(node.peers(&["bans"]).succeeded(), ["no bans"]);

    assert_eq!(
        node.peers(&["kick", &id]).succeeded(),
        [format!("kicked {id}")]
    );
    let kicked = node.process.event("peer_drop");
    assert_eq!(
        (&kicked["requested_by"], &kicked["cause"]),
        (&"local".into(), &"kicked".into())
    );
    let banned = node
        .peers(&["ban", &id, "--for", "2d", "--reason", "spam"])
        .succeeded();
    assert_eq!(banned, [format!("banned {id}")]);
    for time in ["500ms", "0"] {
        let told = node.peers(&["ban", &id, "--for", time]).refused();
        assert!(told.contains("a ban lasts at least a second"), "{told}");
    }
    let request = r#"{"command":"ban","target":"192.0.2.7","seconds":0}"#;
    let told = ask(&mut node.admin(), request);
    let error = "not a request: a ban lasts at least a second";
    assert_eq!(told, json!({ "error": { "text": error } }));
    let listed = node.peers(&["bans", "--json"]).report();
    assert_eq!(
        (&listed["event"], &listed["reason"]),
        (&"ban".into(), &"spam".into())
    );
    assert_eq!(listed["node_id"], id);
    assert!(listed["left_ms"].as_u64().expect("a time") > 86_400_000);
    let (line, _) = node.peers(&["kick", &id]).failed();
    assert_eq!(line, format!("{id} is not connected"));
    assert_eq!(
        node.peers(&["unban", &id]).succeeded(),
        [format!("unbanned {id}")]
    );
    assert_eq!(node.peers(&["bans"]).succeeded(), ["no bans"]);
    let (line, _) = node.peers(&["unban", "192.0.2.7"]).failed();
    assert_eq!(line, "192.0.2.7 is not banned");
}

#[test]
fn who_adds_or_trusts_a_banned_node_learns_of_the_ban() {
    let (_other, enode) = Peermux::listen(&[]);
    let mut node = Node::start(&["--static", &enode]);
    let id = id_text(&node.process.event("peer_add"));
    node.peers(&["ban", &id, "--for", "2d", "--reason", "spam"])
        .succeeded();
    let banned = format!("{id} is banned for another 1d 23h (spam)");
    let lifts = format!("`peermux peers unban {id}` lifts the ban");
    let added = node.peers(&["add", &enode]).succeeded();
    assert_eq!(added, [format!("added {id}; but {banned}; {lifts}")]);
    let trusted = node.peers(&["trust", &id]).succeeded();
    assert_eq!(trusted, [format!("trusted {id}; but {banned}; {lifts}")]);
    let trusted = node.peers(&["trust", &id, "--json"]).report();
    assert_eq!(
        (&trusted["ban"]["node_id"], &trusted["ban"]["reason"]),
        (&id.as_str().into(), &"spam".into())
    );
    // The ban of the node's address counts as well, however the node is named.
    node.peers(&["unban", &id]).succeeded();
    node.peers(&["ban", "127.0.0.1", "--for", "2d"]).succeeded();
    let stranger = format!("enode://{NOBODY}@127.0.0.1:1");
    for (command, who) in [("trust", &id), ("trust", &stranger), ("add", &enode)] {
        let told = node.peers(&[command, who]).succeeded().concat();
        assert!(
            told.contains("; but 127.0.0.1 is banned for another "),
            "{told}"
        );
    }
    let told = node
        .peers(&["trust", &"ab".repeat(32)])
        .succeeded()
        .concat();
    assert!(!told.contains("banned"), "its address is unknown: {told}");
    node.peers(&["unban", "127.0.0.1"]).succeeded();
    node.peers(&["ban", &id, "--for", "2d", "--reason", "spam"])
        .succeeded();
    // A banned node that is not static yet is also added, and is dialled when the ban ends.
    node.peers(&["remove", &id]).succeeded();
    let added = node.peers(&["add", &enode]).succeeded();
    assert_eq!(added, [format!("added {id}; but {banned}; {lifts}")]);
    node.peers(&["unban", &id]).succeeded();
    let added = node.peers(&["add", &enode, "--json"]).report();
    assert_eq!(
        (&added["ban"], &added["node_id"]),
        (&Value::Null, &id.as_str().into())
    );
}

#[test]
fn what_was_added_is_connected_after_a_restart() {
    let (_other, enode) = Peermux::listen(&[]);
    let mut node = Node::start(&[]);
    let added = node.peers(&["add", &enode, "--json"]).report();
    assert_eq!(added["kept"], true);
    let id = id_text(&node.process.event("peer_add"));
    let trusted = node.peers(&["trust", &id]).succeeded();
    assert_eq!(trusted, [format!("trusted {id}")]);
    node.peers(&["stop"]).succeeded();

    let mut again = node.again();
    assert_eq!(id_text(&again.process.event("peer_add")), id);
    let peer = again.peers(&["--json"]).report();
    assert_eq!(
        (&peer["static"], &peer["trusted"]),
        (&true.into(), &true.into())
    );
    again.peers(&["remove", &id]).succeeded();
    again.peers(&["stop"]).succeeded();
    let again = again.again();
    assert!(again.peers(&["--all", "--json"]).events().is_empty());
}

#[test]
fn settings_and_logs_change_while_a_node_runs() {
    let mut node = Node::start(&[]);
    let changed = node.peers(&["reconfigure", "max_peers=0"]).succeeded();
    assert_eq!(changed, ["changed max_peers, until the node ends"]);
    assert_eq!(node.peers(&["info", "--json"]).report()["max_peers"], 0);
    let (line, _) = run(&["ping", &node.enode]).failed();
    assert!(line.contains("too many peers"), "{line}");
    let (line, _) = node.peers(&["reconfigure", "name=x"]).failed();
    assert!(line.contains("name"), "{line}");
    let (line, _) = node.peers(&["reconfigure", "max_peer=1"]).failed();
    let expected = "there is no setting max_peer; did you mean max_peers?";
    assert_eq!(line, expected);
    let (line, _) = node.peers(&["reconfigure", "max_peers=many"]).failed();
    let expected =
        "max_peers = \"many\": invalid type: string \"many\", expected a whole number (0 or more)";
    assert_eq!(line, expected);

    let networks = ["reconfigure", "net_restrict=10.0.0.0/8", "max_peers=9"];
    node.peers(&networks).succeeded();
    run(&["ping", &node.enode]).failed();
    node.process.event("inbound_rejected");
    let settings = ["reconfigure", "log_level=loud", "max_peers=8"];
    let (line, _) = node.peers(&settings).failed();
    assert!(
        line.starts_with("log_level = \"loud\": \"loud\" is no level"),
        "{line}"
    );
    assert_eq!(node.peers(&["info", "--json"]).report()["max_peers"], 9);
    node.peers(&["reconfigure", "log_level=info"]).succeeded();
    let home = node.folder.text("home");
    let shown = run(&["config", "show", "--data-dir", &home]).succeeded();
    for part in ["log_level = \"info\"  #", "net_restrict = \"10.0.0.0/8\""] {
        assert!(shown.iter().any(|line| line.starts_with(part)), "{shown:?}");
    }

    let told = node.peers(&["log-level", "debug"]).succeeded();
    assert_eq!(told, ["logs debug, until the node ends"]);
    run(&["ping", &node.enode]).failed();
    node.process.log("DEBUG");
    let (line, _) = node.peers(&["log-level", "peermux=loud"]).failed();
    assert!(line.contains("expected one of"), "{line}");
}

#[test]
fn a_node_that_is_removed_is_disconnected() {
    let (_other, enode) = Peermux::listen(&[]);
    let mut node = Node::start(&["--static", &enode]);
    let peer = node.process.event("peer_add");
    let id = peer["node_id"].as_str().expect("an id");
    let removed = node.peers(&["remove", &enode]).succeeded();
    // The removal holds only until the node ends, because the node's options name the removed node at the
    // next start.
    assert_eq!(removed, [format!("removed {id}, until the node ends")]);
    let dropped = node.process.event("peer_drop");
    assert_eq!(
        (&dropped["requested_by"], &dropped["cause"]),
        (&"local".into(), &"removed".into())
    );
    let home = node.folder.text("home");
    let why = run(&["why", "--data-dir", &home, id]).succeeded();
    let command =
        "  this node ended it (removed from this node's static nodes): disconnect requested";
    assert!(why.iter().any(|line| line.starts_with(command)), "{why:?}");
    assert_eq!(node.peers(&[]).succeeded(), ["no peers"]);
    let (line, _) = node.peers(&["remove", id]).failed();
    assert_eq!(line, format!("{id} is no static node"));
}

#[test]
fn a_node_is_trusted_until_that_is_taken_back() {
    let key = "00000000000000000000000000000000000000000000000000000000000000ef";
    let shown = run(&["key", "show", "--key", key, "--json"]).events();
    let id = shown[0]["node_id"].as_str().expect("an id");
    let node = Node::start(&["--max-peers", "0"]);
    assert_eq!(
        node.peers(&["trust", id]).succeeded(),
        [format!("trusted {id}")]
    );
    run(&["ping", &node.enode, "--key", key]).succeeded();
    let distrusted = node.peers(&["distrust", id]).succeeded();
    assert_eq!(distrusted, [format!("distrusted {id}")]);
    let (line, _) = run(&["ping", &node.enode, "--key", key]).failed();
    assert!(line.contains("too many peers (0x04)"), "{line}");
}

#[test]
fn a_node_tells_about_itself() {
    let node = Node::start(&["--protocol", "echo"]);
    let told = node.peers(&["info", "--json"]).events();
    assert_eq!(told[0]["enode"], node.enode);
    assert_eq!(told[0]["protocols"], json!({ "echo": "unknown" }));
    // The record is signed with the node's key, and contains the node's endpoint.
    let text = told[0]["record"].as_str().expect("a record");
    let record: NodeRecord = text.parse().expect("a signed record");
    assert_eq!(record.to_enode().to_string(), node.enode);
    let lines = node.peers(&["info"]).succeeded();
    assert_eq!(lines[2], format!("enode      {}", node.enode));
    assert_eq!(lines[3], format!("record     {text}"));
    assert_eq!(lines.last().expect("lines"), "protocols  echo");
}

#[test]
fn a_node_that_is_stopped_has_ended_and_its_socket_is_gone() {
    let (mut other, enode) = Peermux::listen(&[]);
    let mut node = Node::start(&["--static", &enode]);
    node.process.event("peer_add");
    other.event("peer_add");
    assert_eq!(node.peers(&["stop"]).succeeded(), ["stopped"]);
    assert_eq!(other.event("peer_drop")["reason"]["code"], 8);
    let (line, _) = node.peers(&[]).failed();
    assert!(line.ends_with("so no node runs here"), "{line}");
    let events = node.process.ended().events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["event"], "peer_drop");
}

#[test]
fn the_socket_is_for_its_owner_alone_and_replaced_after_a_kill() {
    let folder = Folder::new();
    let path = folder.path("chosen.sock");
    let chosen = ["--admin", &folder.text("chosen.sock")];
    let (node, _) = Peermux::listen(&chosen);
    let metadata = fs::symlink_metadata(&path).expect("it is there");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let (line, _) = run(&[&["listen", "--addr", "127.0.0.1:0"], &chosen[..]].concat()).failed();
    assert!(
        line.contains(": another node listens there; stop that with"),
        "{line}"
    );

    node.signal(Signal::KILL);
    node.ended();
    assert!(path.exists());
    let (line, _) = run(&[&["peers"], &chosen[..]].concat()).failed();
    assert!(line.ends_with("no node runs here any more"), "{line}");
    let (node, _) = Peermux::listen(&chosen);
    assert_eq!(
        run(&[&["peers"], &chosen[..]].concat()).succeeded(),
        ["no peers"]
    );
    node.terminated().succeeded();
    assert!(!path.exists());
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    let path = folder.file("notes", "dear");
    let (line, _) = run(&["listen", "--addr", "127.0.0.1:0", "--admin", &path]).failed();
    assert!(
        line.ends_with("it exists and is no socket; choose another path"),
        "{line}"
    );
    assert_eq!(fs::read_to_string(path).expect("it is there"), "dear");
}

#[test]
fn lines_of_json_are_answered_in_their_order() {
    let node = Node::start(&[]);
    let mut admin = node.admin();
    assert_eq!(
        ask(&mut admin, r#"{"command":"peers"}"#),
        json!({ "ok": [] })
    );
    for bad in [
        "peers",
        r#"{"command":"dance"}"#,
        r#"{"command":"add"}"#,
        r#"{"command":"add","enode":"enode://nobody@127.0.0.1:1"}"#,
        r#"{"command":"trust","node":"me"}"#,
        "",
    ] {
        let answer = ask(&mut admin, bad);
        let error = answer["error"]["text"].as_str().expect("an error");
        assert!(error.starts_with("not a request: "), "{error}");
    }
    let itself = json!({ "command": "add", "enode": node.enode });
    let answer = ask(&mut admin, &itself.to_string());
    let error = answer["error"]["text"].as_str().expect("an error");
    assert!(error.ends_with("is this node itself"), "{error}");
    let two = "{\"command\":\"node-info\"}\n{\"command\":\"peers\"}";
    assert_eq!(ask(&mut admin, two)["ok"]["enode"], node.enode);
    assert_eq!(parse(&self::answer(&mut admin)), json!({ "ok": [] }));
}

#[test]
fn a_line_that_is_too_long_ends_the_connection() {
    let node = Node::start(&[]);
    let mut admin = node.admin();
    // The node must read the whole line, because unread bytes would reset the connection.
    write!(admin.get_mut(), "{}", "x".repeat(4097)).expect("the node reads");
    let told = parse(&answer(&mut admin));
    assert_eq!(
        told,
        json!({ "error": { "text": "max line length exceeded" } })
    );
    assert_eq!(answer(&mut admin), "");
    assert_eq!(node.peers(&[]).succeeded(), ["no peers"]);
}

#[test]
fn so_many_connections_are_served_and_no_more() {
    let node = Node::start(&[]);
    let mut served: Vec<_> = (0..16).map(|_| node.admin()).collect();
    for admin in &mut served {
        assert_eq!(ask(admin, r#"{"command":"peers"}"#), json!({ "ok": [] }));
    }
    let mut refused = node.admin();
    let told = parse(&answer(&mut refused));
    assert_eq!(
        told,
        json!({ "error": { "text": "16 connections are served already" } })
    );
    assert_eq!(answer(&mut refused), "");
    let (line, _) = node.peers(&[]).failed();
    assert_eq!(line, "16 connections are served already");
    assert_eq!(
        ask(&mut served[0], r#"{"command":"peers"}"#),
        json!({ "ok": [] })
    );
}

#[test]
fn it_must_be_said_which_node_is_meant() {
    let told = run(&["peers"]).refused();
    assert!(
        told.contains("--data-dir DIR or --admin PATH is needed"),
        "{told}"
    );
    let told = run(&["peers", "--admin", "a", "--data-dir", "b"]).refused();
    assert!(told.contains("cannot be used with"), "{told}");
    let told = run(&["peers", "--admin", "a", "remove", "somebody"]).refused();
    assert!(
        told.contains("neither a node id nor an enode URL nor a node record"),
        "{told}"
    );
}

#[test]
fn a_kept_node_that_was_banned_at_the_start_is_dialled_when_the_ban_is_lifted() {
    let mut node = Node::start(&[]);
    let (_other, enode) = Peermux::listen(&[]);
    node.peers(&["add", &enode]).succeeded();
    let added = node.process.event("peer_add");
    let id = added["node_id"].as_str().expect("an id").to_owned();
    node.peers(&["ban", &id]).succeeded();
    node.process.event("peer_drop");
    let listed = node.peers(&["--all"]).succeeded();
    assert!(
        listed.iter().any(|line| line.contains("is banned")),
        "{listed:?}"
    );
    node.peers(&["stop"]).succeeded();
    let mut node = node.again();
    let failed = node.process.event("dial_failed");
    let text = failed["error"]["text"].as_str().expect("a text");
    assert!(text.ends_with("it is banned"), "{failed}");
    node.peers(&["unban", &id]).succeeded();
    assert_eq!(node.process.event("peer_add")["node_id"], id);
}

#[test]
fn what_is_misspelt_is_refused_with_its_name() {
    let node = Node::start(&[]);
    let (error, _) = node.peers(&["log-level", "debg"]).failed();
    assert!(error.starts_with("\"debg\" is no level"), "{error}");
    let settings = ["reconfigure", "max_peers=9", "redial_gap=10"];
    let (error, _) = node.peers(&settings).failed();
    assert!(error.starts_with("redial_gap = 10: "), "{error}");
}

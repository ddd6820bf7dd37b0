use std::fs::OpenOptions;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::process::{Ended, Peermux, command, keys, parse, run, without_terminal};

/// Checks that the peer ended with a Disconnect for quitting.
fn assert_quit(dropped: &Value) {
    assert_eq!(dropped["event"], "peer_drop");
    assert_eq!(dropped["reason"]["code"], 8, "{dropped}");
    assert_eq!(dropped["requested_by"], "remote", "{dropped}");
}

#[test]
fn a_node_tells_its_peers_that_it_quits() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut node, enode) = Peermux::listen(&[]);
        let mut ping = Peermux::start(&["ping", &enode, "--count", "2", "--interval", "600"]);
        while !ping.line().starts_with("ping 1: ") {}
        node.event("peer_add");
        node.signal(signal);
        let (line, _) = ping.ended().failed();
        assert!(
            line.contains("disconnected: client quitting (0x08)"),
            "{line}"
        );
        let events = node.ended().events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["event"], "peer_drop");
        assert_eq!(events[0]["reason"]["code"], 8);
        assert_eq!(events[0]["requested_by"], "local");
    }
}

/// The handlers are in place before the first line is printed.
#[test]
fn a_signal_right_after_the_first_line_is_clean() {
    for _ in 0..20 {
        let (node, _) = Peermux::listen(&[]);
        assert!(node.terminated().events().is_empty());
    }
}

#[test]
fn a_ping_takes_leave_and_tells_what_it_has() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut node, enode) = Peermux::listen(&[]);
        let mut ping = Peermux::start(&["ping", &enode, "--count", "9", "--interval", "600"]);
        while !ping.line().starts_with("ping 1: ") {}
        ping.signal(signal);
        let lines = ping.ended().succeeded();
        assert!(lines[0].starts_with("1 ping, "), "{lines:?}");
        node.event("peer_add");
        assert_quit(&node.event("peer_drop"));
    }
}

#[test]
fn a_chat_takes_leave() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut node, enode) = Peermux::listen(&["--protocol", "chat"]);
        let mut chat = Peermux::start(&["chat", "--dial", &enode]);
        assert_eq!(chat.line(), "* listener is here");
        chat.signal(signal);
        assert_eq!(chat.ended().succeeded(), ["* listener is gone"]);
        node.event("peer_add");
        assert_quit(&node.event("peer_drop"));
    }
}

#[test]
fn a_measurement_takes_leave_and_has_no_result() {
    for mode in ["sink", "source", "echo"] {
        let (mut node, enode) = Peermux::listen(&[]);
        let endless = ["--count", "4000000000", "--json", "-vv"];
        let bench = Peermux::start(&[&["bench", &enode, "--mode", mode], &endless[..]].concat());
        assert_no_result(&interrupted(bench));
        node.event("peer_add");
        assert_quit(&node.event("peer_drop"));
    }
}

#[test]
fn handshakes_under_way_take_leave() {
    let (mut node, enode) = Peermux::listen(&[]);
    let endless = ["--count", "4000000000", "--concurrency", "4", "--json"];
    let bench = Peermux::start(&[&["bench", &enode, "--mode", "handshake"], &endless[..]].concat());
    node.event("peer_add");
    bench.signal(Signal::INT);
    let measured = assert_no_result(&bench.ended())["measured"].clone();
    assert_eq!(keys(&measured), ["count", "per_second", "seconds"]);
    assert!(measured["seconds"].as_f64() > Some(0.0), "{measured}");
    for event in node.terminated().events() {
        if event["event"] == "peer_drop" {
            assert_quit(&event);
        }
    }
}

/// Interrupts a process that logs, once it has a peer.
fn interrupted(mut process: Peermux) -> Ended {
    process.log("peer connected");
    process.signal(Signal::INT);
    process.ended()
}

fn assert_no_result(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.output.len(), 1, "{ended:?}");
    let told = parse(&ended.output[0]);
    assert_eq!(told["ok"], false, "{told}");
    assert_eq!(
        told["error"]["text"],
        "interrupted before the end of the measurement"
    );
    told
}

/// The peer process is stopped, so it never closes its side of the connection.
#[test]
fn a_second_signal_skips_the_peers_and_saves_the_address_book() {
    let folder = Folder::new();
    let home = folder.text("home");
    let (mut other, enode) = Peermux::listen(&[]);
    let remembers = ["--data-dir", &home, "--private-networks"];
    let (mut node, _) = Peermux::listen(&[&remembers[..], &["--static", &enode]].concat());
    node.event("peer_add");
    other.event("peer_add");
    other.signal(Signal::STOP);
    let (line, _) = node.terminated_in_haste().failed();
    assert_eq!(line, "interrupted twice; did not wait for the peers");
    other.signal(Signal::CONT);
    let (mut node, _) = Peermux::listen(&remembers);
    assert_eq!(node.event("peer_add")["direction"], "outbound");
}

/// The command reads its key from a pipe to which nobody writes.
#[test]
fn a_command_that_hangs_in_a_file_ends_at_the_second_signal() {
    let folder = Folder::new();
    let key = folder.text("key");
    let made = Command::new("mkfifo").args(["-m", "600", &key]).status();
    assert!(made.expect("it runs").success());
    let mut show = command(&["key", "show", "--key-file", &key]);
    show.env("TOKIO_WORKER_THREADS", "1");
    let show = Peermux::spawn(show);
    // This blocks until the command opens the pipe too.
    let _writer = OpenOptions::new().write(true).open(&key).expect("a pipe");
    let (line, _) = show.terminated_in_haste().failed();
    assert_eq!(line, "interrupted twice; did not wait for the peers");
}

#[test]
fn hanging_up_means_nothing_without_a_terminal() {
    let node = without_terminal(&["listen", "--addr", "127.0.0.1:0"]);
    let mut node = Peermux::spawn(node);
    let enode = node.line();
    node.signal(Signal::HUP);
    node.log("ignored SIGHUP: there is no configuration file");
    run(&["ping", &enode]).succeeded();
    assert_eq!(node.terminated().code, Some(0));
}

/// `script` runs a command in a terminal that closes when `script` ends.
#[test]
#[cfg(target_os = "linux")]
fn the_end_of_its_terminal_ends_a_node_cleanly() {
    let (mut other, enode) = Peermux::listen(&[]);
    let node = [
        env!("CARGO_BIN_EXE_peermux"),
        "listen",
        "--addr",
        "127.0.0.1:0",
    ];
    let node = [node.join(" "), "--static".to_owned(), format!("'{enode}'")].join(" ");
    let mut terminal = Command::new("env");
    // Set SIGHUP to its default action. If the tests run under nohup, the node would otherwise
    // ignore it.
    terminal.args(["--default-signal=HUP", "script", "-qec", &node, "/dev/null"]);
    let terminal = Peermux::spawn(terminal);
    other.event("peer_add");
    terminal.signal(Signal::KILL);
    assert_quit(&other.event("peer_drop"));
}

#[test]
fn hanging_up_without_a_terminal_has_the_configuration_read_again() {
    let folder = Folder::new();
    let file = folder.file("node.toml", "max_peers = 5\n");
    let mut node = Peermux::service(&file);
    let listening = node.event("listening");
    let enode = listening["enode"].as_str().expect("a URL");
    node.event("record");
    run(&["ping", enode]).succeeded();
    node.event("peer_add");
    node.event("peer_drop");

    folder.file("node.toml", "max_peers = 0\nname = \"other\"\n");
    node.signal(Signal::HUP);
    let reloaded = node.event("reloaded");
    assert_eq!(reloaded["changed"], serde_json::json!(["max_peers"]));
    assert!(reloaded["left"]["name"].is_string(), "{reloaded}");
    assert!(reloaded["time"].is_string(), "{reloaded}");
    let (line, _) = run(&["ping", enode]).failed();
    assert!(line.contains("too many peers"), "{line}");

    folder.file("node.toml", "max_peers = many\n");
    node.signal(Signal::HUP);
    let failed = node.event("reload_failed");
    let text = failed["error"]["text"].as_str().expect("a text");
    assert!(text.contains("node.toml, line 1"), "{text}");
    assert_eq!(node.terminated().code, Some(0));
}

#[test]
fn a_list_that_is_read_again_may_have_the_node_itself_in_it() {
    let folder = Folder::new();
    let file = folder.file("node.toml", "");
    let mut node = Peermux::service(&file);
    let listening = node.event("listening");
    let enode = listening["enode"].as_str().expect("a URL");
    node.event("record");
    folder.file("node.toml", &format!("static_nodes = [{enode:?}]\n"));
    node.signal(Signal::HUP);
    let reloaded = node.event("reloaded");
    assert_eq!(reloaded["changed"], serde_json::json!(["static_nodes"]));
    assert_eq!(reloaded["left"], serde_json::json!({}));
    assert_eq!(node.terminated().code, Some(0));
}

/// A node with a data directory, whose configuration file changes.
struct Reloading {
    folder: Folder,
    home: String,
    node: Peermux,
    enode: String,
}

impl Reloading {
    fn start(text: &str, options: &[&str]) -> Self {
        Self::start_in(Folder::new(), text, options)
    }

    /// Stops the node, and starts it again with another file.
    fn again(self, text: &str) -> Self {
        assert_eq!(self.node.terminated().code, Some(0));
        Self::start_in(self.folder, text, &[])
    }

    fn start_in(folder: Folder, text: &str, options: &[&str]) -> Self {
        let home = folder.text("home");
        let file = folder.file("node.toml", text);
        let options = [&["--data-dir", &home], options].concat();
        let mut node = Peermux::service_with(&file, &options);
        let listening = node.event("listening");
        let enode = listening["enode"].as_str().expect("a URL").to_owned();
        node.event("record");
        Self {
            folder,
            home,
            node,
            enode,
        }
    }

    /// Changes the file. Returns the names of the settings that the node has changed.
    fn reload(&mut self, text: &str) -> Value {
        self.folder.file("node.toml", text);
        self.node.signal(Signal::HUP);
        let reloaded = self.node.event("reloaded");
        assert_eq!(reloaded["left"], json!({}), "{reloaded}");
        reloaded["changed"].clone()
    }

    /// Returns the value of a setting of the running node.
    fn setting(&self, name: &str) -> Value {
        let show = ["config", "show", "--data-dir", &self.home, "--json"];
        let all = run(&show).events().into_iter();
        let mut found = all.filter(|setting| setting["name"] == name);
        found.next().expect("a setting")["value"].clone()
    }

    fn peers(&self, arguments: &[&str]) -> Value {
        let peers = ["peers", "--data-dir", &self.home, "--json"];
        run(&[&peers, arguments].concat()).report()
    }
}

#[test]
fn a_list_of_trusted_nodes_that_is_read_again_counts() {
    let key = "5e".repeat(32);
    let shown = run(&["key", "show", "--key", &key, "--json"]).report();
    let public = shown["public_key"].as_str().expect("a key");
    let trusted = format!("enode://{public}@127.0.0.1:1?discport=0");
    let list = format!("max_peers = 0\ntrusted_nodes = [{trusted:?}]\n");
    let mut node = Reloading::start("max_peers = 0\n", &[]);
    let enode = node.enode.clone();
    let ping = ["ping", &enode, "--key", &key];
    run(&ping).failed();
    assert_eq!(node.reload(&list), json!(["trusted_nodes"]));
    assert_eq!(node.setting("trusted_nodes"), json!([trusted]));
    run(&ping).succeeded();
    node.node.event("peer_add");
    node.node.event("peer_drop");
    // The file names the node, so it is trusted again after a restart.
    assert_eq!(node.peers(&["distrust", &trusted])["kept"], false);
    run(&ping).failed();
    assert_eq!(node.reload("max_peers = 0\n"), json!(["trusted_nodes"]));
    assert_eq!(node.setting("trusted_nodes"), json!([]));
    assert_eq!(node.peers(&["distrust", &trusted])["kept"], true);
    assert_eq!(node.node.terminated().code, Some(0));
}

#[test]
fn a_list_of_static_nodes_that_is_read_again_counts() {
    let (_other, enode) = Peermux::listen(&[]);
    let list = format!("static_nodes = [{enode:?}]\n");
    let mut node = Reloading::start("", &[]);
    assert_eq!(node.reload(&list), json!(["static_nodes"]));
    let id = node.node.event("peer_add")["node_id"].clone();
    assert_eq!(node.setting("static_nodes"), json!([enode]));
    assert_eq!(node.peers(&["remove", &enode])["kept"], false);
    let dropped = node.node.event("peer_drop");
    assert_eq!(
        (&dropped["node_id"], &dropped["cause"]),
        (&id, &json!("removed"))
    );
    assert_eq!(node.reload(""), json!(["static_nodes"]));
    node.peers(&["add", &enode]);
    node.node.event("peer_add");
    assert_eq!(node.peers(&["remove", &enode])["kept"], true);
    node.node.event("peer_drop");
    assert_eq!(node.node.terminated().code, Some(0));
}

#[test]
fn a_kept_node_outside_the_networks_is_dialled_once_they_permit_it() {
    let (_other, enode) = Peermux::listen(&[]);
    let mut node = Reloading::start("", &[]);
    node.peers(&["add", &enode]);
    node.node.event("peer_add");
    let outside = "net_restrict = \"10.0.0.0/8\"\n";
    let mut node = node.again(outside);
    node.node.log("a kept static node is not added");
    node.reload("");
    node.node.event("peer_add");
    let mut node = node.again(outside);
    node.node.log("a kept static node is not added");
    node.peers(&["reconfigure", "net_restrict=127.0.0.0/8"]);
    node.node.event("peer_add");
}

#[test]
fn networks_and_the_log_level_are_read_again() {
    let mut node = Reloading::start("log_level = \"info\"\n", &[]);
    let enode = node.enode.clone();
    assert_eq!(node.setting("log_level"), "info");
    run(&["ping", &enode]).succeeded();
    node.node.event("peer_add");
    node.node.event("peer_drop");
    node.node.log("peer connected");
    let text = "net_restrict = \"10.0.0.0/8\"\nlog_level = \"debug\"\n";
    let changed = node.reload(text);
    assert_eq!(changed, json!(["log_level", "net_restrict"]));
    assert_eq!(node.setting("log_level"), "debug");
    run(&["ping", &enode]).failed();
    node.node.event("inbound_rejected");
    node.node.log("DEBUG");
    let changed = node.reload("exempt_local = false\nthrottle = \"1h\"\n");
    let expected = ["exempt_local", "log_level", "net_restrict", "throttle"];
    assert_eq!(changed, json!(expected));
    assert_eq!(node.setting("log_level"), "warn,discv5=error");
    run(&["ping", &enode]).succeeded();
    run(&["ping", &enode]).failed();

    node.folder.file("node.toml", "log_level = \"loud\"\n");
    node.node.signal(Signal::HUP);
    let text = loop {
        let event = node.node.json();
        if event["event"] == "reload_failed" {
            break event["error"]["text"].to_string();
        }
    };
    assert!(text.contains("log_level: "), "{text}");
    assert_eq!(node.node.terminated().code, Some(0));
}

#[test]
fn the_log_level_of_the_command_line_takes_precedence() {
    let mut node = Reloading::start("log_level = \"off\"\n", &["-vv"]);
    assert_eq!(node.setting("log_level"), "debug");
    assert_eq!(node.reload("log_level = \"warn\"\n"), json!([]));
    assert_eq!(node.setting("log_level"), "debug");
    run(&["ping", &node.enode]).succeeded();
    node.node.log("DEBUG");
    assert_eq!(node.node.terminated().code, Some(0));
}

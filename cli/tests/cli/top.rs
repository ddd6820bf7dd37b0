use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::node::Node;
use crate::picture::svg;
use crate::process::{Peermux, run};
use crate::tmux::Tmux;

/// Returns the command line for the view of a node.
fn top(node: &Node, options: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_peermux");
    format!("{binary} top --data-dir {} {options}", node.home)
}

/// Adds a peer to a node, and returns the beginning of its id.
fn peer(node: &mut Node) -> (Peermux, String) {
    let (process, _) = Peermux::listen(&["--static", &node.enode]);
    let added = node.process.event("peer_add");
    let id = added["node_id"].as_str().expect("an id");
    (process, id[..12].to_owned())
}

/// Adds two peers to a node, and returns them in the order of their ids.
fn two_peers(node: &mut Node) -> [(Peermux, String); 2] {
    let mut peers = [peer(node), peer(node)];
    peers.sort_by(|one, other| one.1.cmp(&other.1));
    peers
}

/// Returns whether one text is above another.
fn above(screen: &str, one: &str, other: &str) -> bool {
    let place = |text| screen.find(text);
    place(one)
        .zip(place(other))
        .is_some_and(|(one, other)| one < other)
}

#[test]
fn keys_sort_show_details_kick_and_end() {
    let Some(terminal) = Tmux::start(110, 24) else {
        return;
    };
    let mut node = Node::start();
    let [(_first_peer, first), (_second_peer, second)] = two_peers(&mut node);
    terminal.line("echo before-$((1+1))");
    terminal.shows(&["before-2"]);
    terminal.line(&format!("{}; echo ended-$?", top(&node, "--sort id")));
    let screen = terminal.shows(&[&first, &second, "2 of 2 peers, by id"]);
    assert!(
        above(&screen, &first, &second) && !screen.contains("before-2"),
        "{screen}"
    );
    assert_eq!(terminal.state(), "1 0");

    terminal.press(&["r"]);
    let reversed = |screen: &str| above(screen, &second, &first);
    terminal.until("other order", reversed);
    terminal.press(&["r", "s"]);
    terminal.shows(&["by client", "client▼"]);

    terminal.resize(40, 12);
    terminal.shows(&["1 Peers 2 Prot 3 Dials 4 Mem 5 Events"]);
    terminal.resize(110, 24);
    terminal.shows(&["listens on"]);

    // Equal clients are sorted by id.
    terminal.press(&["g", "Enter"]);
    terminal.shows(&["our address", "round trip", &first]);
    terminal.press(&["Escape"]);
    // Wait for the list, because a key right after Esc would be read as a key with Alt.
    terminal.until("list", |screen| !screen.contains("our address"));
    terminal.press(&["K"]);
    terminal.shows(&[&format!("kicked {first}")]);
    terminal.until("peer that is gone", |screen| {
        screen.contains("1 of 1 peers")
    });
    let dropped = node.process.event("peer_drop");
    assert!(
        dropped["node_id"]
            .as_str()
            .is_some_and(|id| id.starts_with(&first))
    );
    terminal.press(&["5"]);
    terminal.shows(&["peer_drop", "events, the newest first"]);

    terminal.press(&["q"]);
    terminal.shows(&["ended-0", "before-2"]);
    assert_eq!(terminal.state(), "0 1");
    terminal
        .line("stty -a | grep -q ' icanon' && stty -a | grep -q ' echo ' && echo cooked-$((1+1))");
    terminal.shows(&["cooked-2"]);
}

#[test]
fn keys_explain_filter_trust_ban_add_and_disconnect() {
    let Some(terminal) = Tmux::start(110, 24) else {
        return;
    };
    let mut node = Node::start();
    let [(_first_peer, first), (_second_peer, second)] = two_peers(&mut node);
    terminal.line(&format!("{}; echo ended-$?", top(&node, "--sort id")));
    terminal.shows(&[&first, &second, "2 of 2 peers, by id"]);

    terminal.press(&["?"]);
    terminal.shows(&["keep a node connected from now on", "Esc back"]);
    terminal.press(&["?"]);
    terminal.shows(&["2 of 2 peers", "? help"]);
    terminal.press(&["Tab"]);
    terminal.shows(&["2 protocols", "versions"]);
    terminal.press(&["BTab"]);
    terminal.shows(&["2 of 2 peers"]);

    terminal.press(&["/"]);
    terminal.text(&second);
    let screen = terminal.shows(&["1 of 2 peers", &format!("filter: {second}_")]);
    assert!(!screen.contains(&first), "{screen}");
    terminal.press(&["Enter"]);
    terminal.shows(&["d disconnect", &second]);
    terminal.press(&["Escape"]);
    terminal.shows(&["2 of 2 peers", &first]);

    terminal.press(&["g", "t"]);
    terminal.shows(&[&format!("trusted {first}")]);
    terminal.press(&["t"]);
    terminal.shows(&[&format!("distrusted {first}")]);

    terminal.press(&["b"]);
    terminal.shows(&[&format!("ban {first} for (time, reason): 1h_")]);
    terminal.press(&["C-u"]);
    terminal.text("500ms");
    terminal.press(&["Enter"]);
    terminal.shows(&["a ban lasts at least a second"]);
    terminal.press(&["C-u"]);
    terminal.text("30m too slow");
    terminal.press(&["Enter"]);
    terminal.shows(&[&format!("banned {first}"), "1 of 1 peers"]);
    let bans = node.run("peers", &["bans", "--json"]).report();
    assert_eq!(bans["reason"], "too slow");

    let (mut other, enode) = Peermux::listen(&[]);
    terminal.press(&["a"]);
    terminal.shows(&["keep connected (enode URL or record): _"]);
    terminal.text(&enode);
    terminal.press(&["Enter"]);
    terminal.shows(&["added ", "2 of 2 peers"]);
    other.event("peer_add");
    let info = run(&["peers", "--data-dir", &node.home, "--json"]).events();
    let added = info.iter().find(|peer| peer["static"] == true);
    let added = added.and_then(|peer| peer["node_id"].as_str());
    let added = added.expect("a static node")[..12].to_owned();

    terminal.press(&["/"]);
    terminal.text(&added);
    terminal.press(&["Enter"]);
    terminal.shows(&["1 of 2 peers", "d disconnect"]);
    terminal.press(&["d"]);
    terminal.shows(&[&format!("disconnect {added}, and no longer dial it? y/n")]);
    terminal.press(&["y"]);
    terminal.shows(&[&format!("removed {added}"), "0 of 1 peers"]);
    other.event("peer_drop");
    terminal.press(&["q"]);
    terminal.shows(&["ended-0"]);
}

#[test]
fn a_node_that_ends_leaves_its_last_state_and_is_asked_until_it_is_back() {
    let Some(terminal) = Tmux::start(110, 24) else {
        return;
    };
    let mut node = Node::start();
    let (_peer, id) = peer(&mut node);
    let own = node.folder.text("pid");
    let top = format!(
        "sh -c 'echo $$ > {own}; exec {}'; echo ended-$?",
        top(&node, "")
    );
    terminal.line(&top);
    terminal.shows(&[&id, "1 of 1 peers"]);

    node.process.terminated();
    terminal.shows(&["this is its last state", &id]);
    let (process, _) = Peermux::listen(&["--data-dir", &node.home]);
    node.process = process;
    terminal.until("answer", |screen| !screen.contains("no answer"));

    let pid = fs::read_to_string(own).expect("its process id");
    let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), Signal::TERM).expect("it runs");
    terminal.shows(&["ended-0"]);
    assert_eq!(terminal.state(), "0 1");
}

#[test]
fn without_a_terminal_it_names_what_prints_instead() {
    let (line, _) = run(&["top", "--admin", "socket"]).failed();
    for part in [
        "needs a terminal",
        "`peermux peers --watch`",
        "`peermux peers --json`",
    ] {
        assert!(line.contains(part), "{line}");
    }
    let told = run(&["top", "--admin", "socket", "--json"]).refused();
    assert!(told.contains("`peermux peers --json`"), "{told}");
}

/// Draws docs/top.svg: a node with busy peers. Run it with
/// `cargo test --release -p peermux-cli --test cli -- --ignored picture_of_a_node`.
#[test]
#[ignore = "it draws the picture in README, which takes half a minute"]
fn picture_of_a_node_at_work() {
    const COLUMNS: u16 = 140;
    let Some(terminal) = Tmux::start(COLUMNS, 18) else {
        return;
    };
    let mut node = Node::start();
    let _idle: Vec<_> = (0..5).map(|_| peer(&mut node)).collect();
    let loads = [
        ["sink", "1024"],
        ["echo", "32"],
        ["source", "65536"],
        ["sink", "16384"],
    ];
    let _busy: Vec<_> = loads
        .iter()
        .map(|[mode, size]| {
            let count = ["--count", "4000000000"];
            let load = ["bench", &node.enode, "--mode", mode, "--size", size];
            Peermux::start(&[&load[..], &count].concat())
        })
        .collect();
    for _ in &loads {
        node.process.event("peer_add");
    }
    terminal.line(&top(&node, ""));
    // The first round trips are known after the first Pings.
    terminal.until("round trips", |screen| screen.matches(" ms ").count() > 10);
    terminal.press(&["j"]);
    terminal.shows(&["MiB"]);
    let picture = svg(&terminal.coloured_screen(), COLUMNS);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/top.svg");
    fs::write(path, picture).expect("the picture is written");
}

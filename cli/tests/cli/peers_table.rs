//! The table of `peermux peers`, on a terminal and in a pipe.

use crate::node::Node;
use crate::process::Peermux;
use crate::tmux::Tmux;

/// Adds a peer to a node, and returns its id.
fn peer(node: &mut Node) -> (Peermux, String) {
    let (process, _) = Peermux::listen(&["--static", &node.enode]);
    let added = node.process.event("peer_add");
    let id = added["node_id"].as_str().expect("an id");
    (process, id.to_owned())
}

fn watch(node: &Node, more: &[&str]) -> Peermux {
    let arguments = ["peers", "--data-dir", &node.home, "--watch", "1s"];
    Peermux::start(&[&arguments[..], more].concat())
}

#[test]
fn a_pipe_gets_tables_with_whole_ids_and_then_rates() {
    let mut node = Node::start();
    let (_peer, id) = peer(&mut node);
    let mut table = watch(&node, &[]);
    for [incoming, outgoing] in [["in", "out"], ["in/s", "out/s"], ["in/s", "out/s"]] {
        let header = table.line();
        let names: Vec<_> = header.split_whitespace().collect();
        assert_eq!(names[..3], ["node", "id", "dir"], "{header}");
        assert!(
            names.contains(&incoming) && names.contains(&outgoing),
            "{header}"
        );
        let row = table.line();
        assert!(row.starts_with(&format!("{id}  in ")), "{row}");
        let totals = table.line();
        assert!(totals.starts_with("1 peer, 1 inbound"), "{totals}");
    }
    assert_eq!(table.terminated().code, Some(0));

    let mut lines = watch(&node, &["--json"]);
    for _ in 0..2 {
        assert_eq!(lines.event("peer")["node_id"], id);
    }
    assert_eq!(lines.terminated().code, Some(0));
}

#[test]
fn a_terminal_gets_short_ids_and_one_table_at_a_time() {
    let Some(terminal) = Tmux::start(160, 24) else {
        return;
    };
    let mut node = Node::start();
    let (_one, one) = peer(&mut node);
    let (_other, other) = peer(&mut node);
    let mut ids = [&one[..12], &other[..12]];
    ids.sort_unstable();
    let binary = env!("CARGO_BIN_EXE_peermux");
    let command = format!("{binary} peers --data-dir {} --watch 1", node.home);
    terminal.line(&format!("{command}; echo ended-$?"));
    let screen = terminal.shows(&["in/s", ids[0], ids[1], "2 peers, 2 inbound"]);
    assert!(
        !screen.contains(&one[..13]) && !screen.contains(&other[..13]),
        "{screen}"
    );
    // The table before was cleared, and the command line with it.
    assert_eq!(screen.matches("node id").count(), 1, "{screen}");
    assert!(!screen.contains("--watch"), "{screen}");
    assert!(screen.find(ids[0]) < screen.find(ids[1]), "{screen}");
    terminal.press(&["C-c"]);
    terminal.shows(&["ended-0"]);
}

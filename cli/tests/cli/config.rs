use crate::folder::Folder;
use crate::process::{Peermux, run};

fn listen(file: &str) -> [&str; 5] {
    ["listen", "--addr", "127.0.0.1:0", "--config", file]
}

#[test]
fn options_win_over_the_file() {
    let folder = Folder::new();
    // The address is reserved for documentation, so no process can listen on it.
    let text = "name = \"named\"\nlisten = \"192.0.2.1:1\"\nmax_peers = 0\n";
    let file = folder.file("node.toml", text);
    let (_node, enode) = Peermux::listen(&["--config", &file, "--max-peers", "1"]);
    let told = run(&["ping", &enode, "--json"]).events();
    assert_eq!(told[0]["client"], "named");
    let (_node, enode) = Peermux::listen(&["--config", &file]);
    let (line, _) = run(&["ping", &enode]).failed();
    assert!(line.contains("too many peers (0x04)"), "{line}");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let folder = Folder::new();
    let cases = [
        (
            "max_peers = 25\n\n  max_pears = 25\n",
            "line 3, column 3: there is no setting max_pears; did you mean max_peers?",
        ),
        (
            "name = \"ä\"\nredial_gap = \"5 parsecs\"\n",
            "line 2, column 14: \"5 parsecs\" is not a time such as 30s",
        ),
        ("memory.per_peer = \"4 bits\"\n", "line 1, column 19: "),
        (
            "peer.stall_limit = 6\n",
            "line 1, column 20: invalid type: integer `6`, expected a time such as \"30s\"",
        ),
        (
            "max_peers = \"many\"\n",
            "line 1, column 13: invalid type: string \"many\", expected a whole number (0 or more)",
        ),
        (
            "[peer]\nstall = \"6s\"\n",
            "line 2, column 1: there is no setting peer.stall; did you mean peer.stall_limit?",
        ),
        (
            "static_nodes = [\n  \"enode://nobody\",\n]\n",
            "line 1, column 16: ",
        ),
        ("max_peers = \n", "line 1, column 13: "),
        (
            "\nlog_level = \"loud\"\n",
            "line 2, column 13: log_level: \"loud\" is no level: off, error, ",
        ),
        (
            "log_level = 3\n",
            "line 1, column 13: log_level: invalid type: integer `3`, expected a string",
        ),
    ];
    for (text, part) in cases {
        let file = folder.file("node.toml", text);
        let told = run(&listen(&file)).refused();
        let expected = format!("peermux: config file {file}, {part}");
        assert!(told.starts_with(&expected), "{text:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_failure() {
    let folder = Folder::new();
    let file = folder.text("node.toml");
    let (line, _) = run(&listen(&file)).failed();
    assert!(
        line.starts_with(&format!("cannot read config file {file}: ")),
        "{line}"
    );
}

#[test]
fn a_file_is_checked_as_a_node_would() {
    let folder = Folder::new();
    let good = folder.file(
        "good.toml",
        "max_peers = 25\nmemory.per_peer = \"64 MiB\"\nlog_level = \"debug\"\n",
    );
    let told = run(&["config", "check", &good, "--json"]).report();
    assert_eq!(told["changed"], 3);
    let nobody = "enode://79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    let cases = [
        ("max_pears = 1\n", "did you mean max_peers?"),
        (
            "log_level = \"peermux=loud\"\n",
            "line 1, column 13: log_level: ",
        ),
        (
            "max_pending = 0\n",
            "max_pending is 0, but must be at least 1",
        ),
        ("memory.per_peer = \"1 KiB\"\n", "memory.per_peer is 1024"),
        (
            &format!("static_nodes = [\"{nobody}\"]\n"),
            "names no host and TCP port to dial",
        ),
    ];
    for (text, part) in cases {
        let file = folder.file("node.toml", text);
        let told = run(&["config", "check", &file]).refused();
        assert!(told.contains(part), "{text:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn what_a_running_node_has_is_shown() {
    let folder = Folder::new();
    let home = folder.text("home");
    let file = folder.file("node.toml", "max_peers = 25\n");
    let (_node, _) = Peermux::listen(&["--data-dir", &home, "--config", &file]);
    run(&["peers", "--data-dir", &home, "reconfigure", "max_dials=9"]).succeeded();
    let shown = run(&["config", "show", "--data-dir", &home]).succeeded();
    let changed: Vec<_> = shown.iter().filter(|line| !line.starts_with('#')).collect();
    assert!(
        changed
            .iter()
            .any(|line| line.starts_with("max_dials = 9  #"))
            && changed
                .iter()
                .any(|line| *line == "max_peers = 25  # default 50"),
        "{changed:?}"
    );
    let defaults = run(&["config", "show"]).succeeded();
    assert!(
        defaults.iter().all(|line| line.starts_with("# ")),
        "{defaults:?}"
    );
    assert!(defaults.contains(&"# max_peers = 50".to_owned()));
    let log_level = "# log_level = \"warn,discv5=error\"";
    assert!(defaults.contains(&log_level.to_owned()));
    // A node without metrics shows the setting `metrics`, too.
    for lines in [&shown, &defaults] {
        assert!(
            lines.contains(&"# metrics: not set".to_owned()),
            "{lines:?}"
        );
    }
}

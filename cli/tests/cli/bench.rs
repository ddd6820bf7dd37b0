use serde_json::{Value, json};

use crate::foreign::{closed_port, enode_at};
use crate::process::{Ended, Peermux, keys, parse, run};
use crate::tmux::Tmux;

/// Returns the result of a measurement.
fn result(ended: Ended) -> Value {
    let mut events = ended.events();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn positive(result: &Value, key: &str) {
    assert!(result[key].as_f64() > Some(0.0), "{key}: {result}");
}

#[test]
fn messages_are_measured_with_and_without_a_node() {
    let (_node, enode) = Peermux::listen(&[]);
    let whereto: [&[&str]; 2] = [&[], &[&enode]];
    for enode in whereto {
        for mode in ["sink", "source", "echo"] {
            let arguments = [
                "bench", "--mode", mode, "--size", "300", "--count", "20", "--json",
            ];
            let told = result(run(&[&arguments, enode].concat()));
            let mut expected = vec![
                "count",
                "cpu_seconds",
                "event",
                "mb_per_s",
                "mode",
                "msgs_per_s",
                "ok",
                "p50_us",
                "p999_us",
                "p99_us",
                "seconds",
                "size",
            ];
            if mode != "echo" {
                expected.retain(|key| !key.starts_with('p'));
            }
            assert_eq!(keys(&told), expected);
            assert_eq!(told["mode"], mode);
            assert_eq!(told["size"], 300);
            assert_eq!(told["count"], 20);
            assert_eq!(told["ok"], true);
            expected.retain(|key| key.contains('_') || *key == "seconds");
            expected.iter().for_each(|key| positive(&told, key));
        }
    }
}

#[test]
fn handshakes_are_measured_with_and_without_a_node() {
    let (_node, enode) = Peermux::listen(&[]);
    for more in [vec![], vec![enode.as_str()], vec!["--concurrency", "4"]] {
        let arguments = ["bench", "--mode", "handshake", "--count", "10", "--json"];
        let told = result(run(&[&arguments, more.as_slice()].concat()));
        let expected = [
            "concurrency",
            "count",
            "cpu_seconds",
            "event",
            "handshakes_per_s",
            "mode",
            "ok",
            "seconds",
        ];
        assert_eq!(keys(&told), expected);
        assert_eq!(told["count"], 10);
        assert_eq!(told["ok"], true);
        positive(&told, "handshakes_per_s");
    }
}

#[test]
fn every_handshake_is_a_peer_that_came_and_quit() {
    let (mut node, enode) = Peermux::listen(&[]);
    let arguments = ["--mode", "handshake", "--count", "3"];
    run(&[&["bench", &enode], arguments.as_slice()].concat()).succeeded();
    for _ in 0..3 {
        let added = node.event("peer_add");
        let dropped = node.event("peer_drop");
        assert_eq!(dropped["node_id"], added["node_id"]);
        assert_eq!(dropped["reason"]["code"], 8);
        assert_eq!(dropped["requested_by"], "remote");
    }
}

#[test]
fn one_line_tells_people() {
    let lines = run(&["bench", "--mode", "echo", "--count", "5", "--size", "0"]).succeeded();
    let [line] = lines.as_slice() else {
        panic!("not one line: {lines:?}");
    };
    assert!(
        line.starts_with("5 round trips, 0 bytes each, all verified: "),
        "{line}"
    );
}

#[test]
fn a_terminal_shows_how_far_it_is_and_what_was_measured_until_ctrl_c() {
    let Some(terminal) = Tmux::start(120, 24) else {
        return;
    };
    let modes = [
        ("sink", "messages sent"),
        ("source", "messages received"),
        ("echo", "round trips"),
        ("handshake", "handshakes"),
    ];
    for (mode, what) in modes {
        let bench = [env!("CARGO_BIN_EXE_peermux"), "bench", "--mode", mode].join(" ");
        terminal.line(&format!("clear; {bench} --count 4000000000; echo ended-$?"));
        terminal.shows(&[&format!(" of 4000000000 {what}, "), "/s, ", " left"]);
        terminal.press(&["C-c"]);
        let screen = terminal.shows(&["ended-0"]);
        let mut lines = screen.lines();
        let told = lines.find_map(|line| line.strip_prefix("interrupted after "));
        let told = told.and_then(|told| told.split_once(" of 4000000000 "));
        let (done, rest) = told.expect("what was measured");
        assert!(done.parse::<u64>().is_ok_and(|done| done > 0), "{screen}");
        assert!(rest.starts_with(what), "{screen}");
        // The line that showed the progress was cleared.
        assert!(!screen.contains(" left"), "{screen}");
    }
}

#[test]
fn the_largest_message_passes_and_a_larger_one_is_refused() {
    let with = |size: &str| {
        run(&[
            "bench", "--mode", "source", "--count", "1", "--size", size, "--json",
        ])
    };
    assert_eq!(result(with("16776192"))["ok"], true);
    let text = with("16776193").refused();
    assert!(text.contains("16776193 is not in 0..=16776192"), "{text}");
}

#[test]
fn a_failed_measurement_is_told_to_programs_too() {
    let (_socket, closed) = closed_port();
    let (_other, other) = Peermux::listen(&["--protocol", "echo"]);
    let cases = [
        ("sink", enode_at(closed), "dial", "io", Value::Null),
        ("handshake", enode_at(closed), "dial", "io", Value::Null),
        (
            "echo",
            other,
            "hello",
            "local",
            json!({ "code": 3, "text": "useless peer" }),
        ),
    ];
    for (mode, enode, stage, fault, reason) in cases {
        let (line, output) = run(&["bench", &enode, "--mode", mode, "--json"]).failed();
        assert!(
            line.ends_with(&format!("[stage: {stage}, fault: {fault}]")),
            "{line}"
        );
        assert_eq!(output.len(), 1, "{output:?}");
        let told = parse(&output[0]);
        assert_eq!(told["mode"], mode);
        assert_eq!(told["ok"], false);
        assert_eq!(told["error"]["stage"], stage);
        assert_eq!(told["error"]["fault"], fault);
        assert_eq!(told["error"]["reason"], reason);
    }
}

#[test]
fn a_node_that_quits_in_the_middle_is_named_as_the_cause() {
    let (mut node, enode) = Peermux::listen(&[]);
    let bench = [
        "bench",
        &enode,
        "--mode",
        "echo",
        "--count",
        "4000000000",
        "--size",
        "1",
        "-vv",
    ];
    let mut bench = Peermux::start(&bench);
    // Both sides log the other as a peer.
    bench.log("peer connected");
    node.event("peer_add");
    drop(node.terminated());
    let ended = bench.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.errors.last().expect("a line");
    assert_eq!(
        last,
        "peermux: the connection ended: it disconnected: client quitting (0x08) [stage: message, fault: remote]"
    );
}

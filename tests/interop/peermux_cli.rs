//! The `peermux` binary.

use std::process::Command;

use serde_json::{Value, json};

use crate::program::Program;

fn run(arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peermux"));
    command.args(arguments).arg("--json");
    Program::spawn("peermux", command)
}

/// Starts a listening node, and returns it with its enode URL.
pub(crate) fn listen(arguments: &[&str]) -> (Program, String) {
    let (program, enode, _) = listen_with_record(arguments);
    (program, enode)
}

/// Like [`listen`], but also returns the node's record.
pub(crate) fn listen_with_record(arguments: &[&str]) -> (Program, String, String) {
    let mut program = run(&[&["listen", "--addr", "127.0.0.1:0"], arguments].concat());
    let listening = program.event("listening");
    let record = program.event("record");
    let text = |event: &Value, key: &str| event[key].as_str().expect(key).to_owned();
    (program, text(&listening, "enode"), text(&record, "record"))
}

/// Runs one mode of `bench/1` against a node and returns the result.
pub(crate) fn bench(enode: &str, mode: &str, size: usize, count: u64) -> Value {
    let (size, count) = (size.to_string(), count.to_string());
    let arguments = [
        "bench", enode, "--mode", mode, "--size", &size, "--count", &count,
    ];
    let mut lines = run(&arguments).succeeded();
    lines.pop().expect("a result")
}

/// Pings a node, `count` times without a pause.
pub(crate) fn ping(enode: &str, count: u64) -> Program {
    run(&[
        "ping",
        enode,
        "--interval",
        "0",
        "--count",
        &count.to_string(),
    ])
}

/// Crawls; returns the result of each node, then the summary.
pub(crate) fn crawl(arguments: &[&str]) -> Vec<Value> {
    run(&[&["crawl"], arguments].concat()).succeeded()
}

/// Returns the tests' protocols as the binary prints them. The first has offset 16.
pub(crate) fn matched_capabilities() -> Value {
    json!([
        { "name": "bench", "version": 1, "offset": 16, "length": 8 },
        { "name": "echo", "version": 1, "offset": 24, "length": 2 },
    ])
}

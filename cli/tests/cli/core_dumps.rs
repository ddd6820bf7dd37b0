//! Checks that there are no core dumps, which would contain keys.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process};

use crate::folder::Folder;

/// Crashes a node whose shell allows core dumps of any size.
///
/// Returns the resource limits of the node, and how the node ended.
fn crash(option: &str) -> (String, ExitStatus) {
    let folder = Folder::new();
    let script = format!("ulimit -c $(ulimit -Hc); exec \"$0\" listen --addr 127.0.0.1:0 {option}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_peermux")]);
    shell.current_dir(folder.path("")).stdout(Stdio::piped());
    let mut node = shell.spawn().expect("it starts");
    let mut listening = String::new();
    let output = node.stdout.take().expect("it is piped");
    let read = BufReader::new(output).read_line(&mut listening);
    let limits = fs::read_to_string(format!("/proc/{}/limits", node.id()));
    kill_process(Pid::from_child(&node), Signal::ABORT).expect("a child of ours");
    let status = node.wait().expect("a child of ours");
    read.expect("its first line");
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    let limits = limits.expect("Linux");
    let core = limits.lines().find(|line| line.contains("core file size"));
    (core.expect("Linux").to_owned(), status)
}

#[test]
fn a_node_that_crashes_leaves_no_memory_behind_unless_that_is_allowed() {
    let (limits, status) = crash("");
    let mut words = limits.split_whitespace().skip(4);
    assert_eq!((words.next(), words.next()), (Some("0"), Some("0")));
    assert!(!status.core_dumped());

    let most = getrlimit(Resource::Core).maximum;
    let most = most.map_or("unlimited".to_owned(), |most| most.to_string());
    let (limits, _) = crash("--core-dumps");
    let mut words = limits.split_whitespace().skip(4);
    assert_eq!(words.next(), Some(&*most));
}

//! Tests of output that is not read, or cannot be written.

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::process::{Child, Stdio};

use peermux::{SecretKey, Server};
use rustix::io::ioctl_fionbio;

use crate::folder::Folder;
use crate::process::{Ended, Peermux, command, run};

/// Returns a full pipe that is not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    ioctl_fionbio(&writer, true).expect("a pipe");
    // The last writes are single bytes, so that no room is left.
    for size in [4096, 1] {
        while writer.write(&vec![b'x'; size]).is_ok() {}
    }
    ioctl_fionbio(&writer, false).expect("a pipe");
    (reader, writer)
}

/// Runs a command whose standard output or standard error the reader has closed.
fn run_unread(arguments: &[&str], unread: &str) -> Ended {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut command = command(arguments);
    command.stdin(Stdio::null());
    let output = match unread {
        "stdout" => command.stdout(writer).stderr(Stdio::piped()),
        _ => command.stdout(Stdio::piped()).stderr(writer),
    };
    let output = output.spawn().and_then(Child::wait_with_output);
    let output = output.expect("it runs");
    let lines = |bytes| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    };
    Ended {
        code: output.status.code(),
        output: lines(output.stdout),
        errors: lines(output.stderr),
    }
}

/// Shells report the same exit code for a process that SIGPIPE has killed.
#[test]
fn a_reader_that_goes_away_ends_a_command_with_a_code_of_its_own() {
    let one = "0000000000000000000000000000000000000000000000000000000000000001";
    let cases: [&[&str]; 7] = [
        &["demo"],
        &["demo", "--json"],
        &["listen", "--addr", "127.0.0.1:0"],
        &["chat", "--listen", "127.0.0.1:0"],
        &["bench", "--mode", "echo", "--count", "1"],
        &["key", "show", "--key", one],
        &["--help"],
    ];
    for arguments in cases {
        let ended = run_unread(arguments, "stdout");
        assert_eq!(ended.code, Some(141), "{arguments:?}: {ended:?}");
        assert!(ended.errors.is_empty(), "{arguments:?}: {ended:?}");
    }
}

/// The node has one worker thread, as on a machine with one processor.
#[test]
fn output_that_nobody_reads_holds_up_neither_a_node_nor_its_end() {
    let folder = Folder::new();
    let home = folder.text("home");
    let (mut other, enode) = Peermux::listen(&[]);
    let (_reader, writer) = full_pipe();
    let remembers = [
        "--data-dir",
        &home,
        "--private-networks",
        "--static",
        &enode,
    ];
    let mut node = command(&[&["listen", "--addr", "127.0.0.1:0"], &remembers[..]].concat());
    node.env("TOKIO_WORKER_THREADS", "1");
    node.stdout(writer).stderr(Stdio::piped());
    let node = Peermux::spawn_unread(node);
    let met = other.event("peer_add");

    let info = run(&["peers", "--data-dir", &home, "info", "--json"]).events();
    let node_enode = info[0]["enode"].as_str().expect("an enode URL");
    run(&["ping", node_enode]).succeeded();
    let (line, _) = node.terminated().failed();
    assert!(line.contains("lines of output were lost"), "{line}");
    let dropped = other.event("peer_drop");
    assert_eq!(dropped["node_id"], met["node_id"]);
    assert_eq!(dropped["reason"]["code"], 8, "{dropped}");

    let (mut node, _) = Peermux::listen(&["--data-dir", &home, "--private-networks"]);
    assert_eq!(node.event("peer_add")["direction"], "outbound");
}

#[test]
fn logs_that_nobody_reads_hold_up_no_command() {
    let (_reader, writer) = full_pipe();
    let mut bench = command(&["bench", "--mode", "handshake", "--count", "2", "-vvv"]);
    bench.env("TOKIO_WORKER_THREADS", "1");
    bench.stdout(Stdio::piped()).stderr(writer);
    assert_eq!(Peermux::spawn_unread(bench).ended().succeeded().len(), 1);
}

#[test]
fn logs_that_nobody_reads_do_no_harm() {
    let arguments = ["bench", "--mode", "handshake", "--count", "2", "-vvv"];
    assert_eq!(run_unread(&arguments, "stderr").code, Some(0));
    assert_eq!(run_unread(&["key", "show"], "stderr").code, Some(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure() {
    let full = OpenOptions::new().write(true).open("/dev/full");
    let mut bench = command(&["bench", "--mode", "sink", "--count", "1"]);
    bench.stdin(Stdio::null()).stdout(full.expect("a device"));
    let output = bench.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        errors.starts_with("peermux: cannot write to standard output: "),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 1, "{errors}");

    let full = OpenOptions::new().write(true).open("/dev/full");
    let mut help = command(&["--help"]);
    let help = help.stdout(full.expect("a device")).output();
    assert_eq!(help.expect("it runs").status.code(), Some(1));
}

#[test]
fn logs_go_to_standard_error() {
    let ended = run(&["bench", "--mode", "sink", "--count", "1", "--json", "-vv"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.output.len(), 1, "{ended:?}");
    assert!(!ended.errors.is_empty(), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_cannot_write_to_the_terminal() {
    let server = Server::builder(SecretKey::random(&mut rand::rng()))
        .configure(|config| config.with_name("evil\u{1b}[2J\u{9b}2J\r\n\u{7}"))
        .listen(([127, 0, 0, 1], 0).into())
        .start()
        .await
        .expect("it starts");
    let enode = server.enode().to_string();
    for json in [None, Some("--json")] {
        let ping = ["ping", enode.as_str()].into_iter().chain(json);
        let arguments: Vec<_> = ping.map(str::to_owned).collect();
        let ended = tokio::task::spawn_blocking(move || {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            run(&arguments)
        });
        let lines = ended.await.expect("no panic").succeeded();
        let all = lines.concat();
        assert!(all.contains("evil"), "{all}");
        assert!(!all.contains(char::is_control), "{all:?}");
    }
}

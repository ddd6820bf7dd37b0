//! A node as a service: its notifications, and the unit for systemd.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::folder::Folder;
use crate::process::{Peermux, without_terminal};

const UNIT: &str = include_str!("../../../contrib/systemd/peermux.service");

/// Returns the next notification.
fn told(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = manager.recv(&mut bytes).expect("a notification");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
#[cfg(target_os = "linux")]
fn the_service_manager_learns_of_each_state() {
    let folder = Folder::new();
    let socket = folder.path("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    let limit = Some(Duration::from_secs(60));
    manager.set_read_timeout(limit).expect("it has one");
    let file = folder.file("node.toml", "max_peers = 25\n");
    // At SIGHUP a process without a terminal reads its configuration again.
    let mut node = without_terminal(&["listen", "--addr", "127.0.0.1:0", "--config", &file]);
    node.env("NOTIFY_SOCKET", &socket);
    let mut node = Peermux::spawn(node);
    let enode = node.line();
    assert_eq!(told(&manager), format!("READY=1\nSTATUS={enode}\n"));
    node.signal(Signal::HUP);
    let reloading = told(&manager);
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert!(told(&manager).starts_with("READY=1\n"));
    node.signal(Signal::TERM);
    assert_eq!(told(&manager), "STOPPING=1\n");
    assert_eq!(node.ended().code, Some(0));
}

/// Copies the systemd unit, with the path of the binary under test.
fn unit(folder: &Folder) -> String {
    let text = UNIT.replace("/usr/bin/peermux", env!("CARGO_BIN_EXE_peermux"));
    assert_ne!(text, UNIT);
    folder.file("peermux.service", &text)
}

/// Runs systemd-analyze, if it is installed.
fn analyse(arguments: &[&str]) -> Option<String> {
    let run = Command::new("systemd-analyze").args(arguments).output();
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            eprintln!("without systemd-analyze: {error}");
            return None;
        }
    };
    let text = [run.stdout, run.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(run.status.success(), "{text}");
    Some(text)
}

#[test]
fn the_unit_is_one() {
    let folder = Folder::new();
    let unit = unit(&folder);
    if let Some(complaints) = analyse(&["verify", "--man=no", &unit]) {
        assert_eq!(complaints, "");
    }
}

/// systemd rates the rights of a service from 0 (none) to 10 (all).
#[test]
fn the_unit_allows_little() {
    let folder = Folder::new();
    let unit = unit(&folder);
    let offline = [
        "security",
        "--offline=true",
        "--threshold=20",
        "--no-pager",
        &unit,
    ];
    if let Some(table) = analyse(&offline) {
        assert!(table.contains("Overall exposure level"), "{table}");
    }
}

#[test]
fn the_units_command_is_one() {
    let folder = Folder::new();
    let start = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let home = folder.text("home");
    fs::create_dir(folder.path("etc")).expect("a folder");
    let file = folder.file("etc/node.toml", "listen = \"127.0.0.1:0\"\n");
    let start = start.expect("a command").replace("/var/lib/peermux", &home);
    let start = start.replace("/etc/peermux/node.toml", &file);
    let arguments: Vec<_> = start.split_whitespace().skip(1).collect();
    let mut node = Peermux::start(&arguments);
    assert!(node.line().starts_with("enode://"));
    assert!(node.line().starts_with("record "));
    assert!(node.terminated().succeeded().is_empty());
}

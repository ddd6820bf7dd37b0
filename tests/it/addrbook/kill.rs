//! Confirmed data survives a kill of the process at any moment.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use peermux::NodeId;
use peermux::addrbook::BanTarget;

use super::{Folder, node, open};

const FILE: &str = "PEERMUX_TEST_ADDRBOOK";
const FIRST: &str = "PEERMUX_TEST_FIRST";
const CONFIRMED: &str = "confirmed ";

fn banned(number: u32) -> NodeId {
    node(1_000_000 + number).node_id()
}

/// The body of the process that is killed; it is not a test itself. It marks nodes as good, bans
/// others, and prints each number once both changes are on disk.
#[tokio::test]
async fn child() {
    let (Ok(path), Ok(first)) = (std::env::var(FILE), std::env::var(FIRST)) else {
        return;
    };
    let (book, writer) = open(Path::new(&path)).await.unwrap();
    tokio::spawn(writer.run(std::future::pending()));
    for number in first.parse().unwrap().. {
        book.good(&node(number)).unwrap();
        let target = BanTarget::Node(banned(number));
        book.ban(target, Duration::from_secs(1 << 30), "to be remembered");
        book.flush().await.unwrap();
        println!("{CONFIRMED}{number}");
    }
}

/// Runs the child until it has confirmed `count` numbers, then kills it. If `count` is 0, the child
/// is killed right after its start. Returns the last number that the child confirmed.
fn run_and_kill(path: &Path, first: u32, count: u32) -> Option<u32> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "addrbook::kill::child", "--nocapture"])
        .env(FILE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut last = None;
    for line in output.lines() {
        let line = line.unwrap();
        // libtest prints text before the first number.
        if let Some((_, number)) = line.split_once(CONFIRMED) {
            last = Some(number.parse::<u32>().unwrap());
        }
        let confirmed = last.map_or(0, |last| last + 1 - first);
        let begun = line.starts_with("running");
        if (begun && count == 0) || (!begun && confirmed == count && count > 0) {
            // The child does not wait for this, so it is killed at a random point. Read the rest of
            // its output.
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child was killed");
    last
}

async fn check(path: &Path, confirmed: u32) {
    let (book, _writer) = open(path).await.unwrap();
    for number in 0..confirmed {
        let entry = book.entry(&node(number).node_id());
        assert!(
            entry.is_some_and(|entry| entry.is_tried()),
            "node {number} of {confirmed}"
        );
        assert!(
            book.banned(&banned(number)).is_some(),
            "ban {number} of {confirmed}"
        );
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_confirmed() {
    let folder = Folder::new();
    let mut next = 0;
    for count in [1, 7, 0, 19, 2, 11, 0, 28] {
        let last = run_and_kill(&folder.file(), next, count);
        next = last.map_or(next, |last| last + 1);
        check(&folder.file(), next).await;
    }
    assert!(next >= 68, "{next}");
}

#[tokio::test]
async fn a_process_killed_at_its_start_leaves_a_file_that_opens() {
    for _ in 0..8 {
        let folder = Folder::new();
        let last = run_and_kill(&folder.file(), 0, 0);
        check(&folder.file(), last.map_or(0, |last| last + 1)).await;
    }
}

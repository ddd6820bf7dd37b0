//! What was confirmed is there after the process was killed at any moment.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use peermux::NodeId;
use peermux::addrbook::BanTarget;
use tokio_util::sync::CancellationToken;

use super::{Folder, node, open};

const FILE: &str = "PEERMUX_TEST_ADDRBOOK";
const FIRST: &str = "PEERMUX_TEST_FIRST";
const CONFIRMED: &str = "confirmed ";

fn banned(number: u32) -> NodeId {
    node(1_000_000 + number).node_id()
}

/// Not a test by itself: the process that is killed. It marks node after node as good, bans
/// another, and prints each number once both are on the disk.
#[tokio::test]
async fn child() {
    let (Ok(path), Ok(first)) = (std::env::var(FILE), std::env::var(FIRST)) else {
        return;
    };
    let (book, writer) = open(Path::new(&path)).await.unwrap();
    tokio::spawn(writer.run(CancellationToken::new()));
    for number in first.parse().unwrap().. {
        book.good(&node(number)).unwrap();
        let target = BanTarget::Node(banned(number));
        book.ban(target, Duration::from_secs(1 << 30), "to be remembered");
        book.flush().await.unwrap();
        println!("{CONFIRMED}{number}");
    }
}

/// Runs the child until it has confirmed `count` numbers, kills it while it goes on, and returns
/// the last number that it confirmed.
fn run_and_kill(path: &Path, first: u32, count: u32) -> u32 {
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
        // libtest writes in front of the first line.
        if let Some((_, number)) = line.unwrap().split_once(CONFIRMED) {
            let number = number.parse::<u32>().unwrap();
            last = Some(number);
            if number + 1 == first + count {
                // It goes on meanwhile, so this strikes anywhere; what it still says is read.
                child.kill().unwrap();
            }
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child was killed");
    last.unwrap()
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_confirmed() {
    let folder = Folder::new();
    let mut next = 0;
    for count in [1, 7, 2, 19, 4, 11, 3, 28] {
        let last = run_and_kill(&folder.file(), next, count);
        let (book, _writer) = open(&folder.file()).await.unwrap();
        for number in 0..=last {
            let entry = book.entry(&node(number).node_id());
            assert!(
                entry.is_some_and(|entry| entry.is_tried()),
                "node {number} of {last}"
            );
            assert!(
                book.banned(&banned(number)).is_some(),
                "ban {number} of {last}"
            );
        }
        next = last + 1;
    }
}

//! Commands that only identify a node: `peermux ping` and `devp2p rlpx ping`.

use std::process::Command;

use super::Case;
use crate::foreign::{Foreign, Implementation};
use crate::peermux_cli;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("we_dial::peermux_ping", peermux_ping),
        Case::new("they_dial::devp2p_rlpx_ping", devp2p_ping).only(Implementation::Geth),
    ]
}

fn peermux_ping(foreign: &Foreign) {
    let (_theirs, enode) = foreign.serve(&[]);
    let told = peermux_cli::ping(&enode, 3).succeeded();
    let told = told.last().expect("a line");
    let client = told["client"].as_str().expect("a client name");
    assert!(client.contains(foreign.client), "{told}");
    assert_eq!(told["p2p_version"], 5, "{told}");
    let capabilities = told["capabilities"].as_array().expect("a list");
    let names: Vec<_> = capabilities
        .iter()
        .map(|capability| &capability["name"])
        .collect();
    assert_eq!(names, ["bench", "echo"], "{told}");
    let round_trips = told["rtt_us"].as_array().expect("a list");
    assert_eq!(round_trips.len(), 3, "{told}");
}

/// go-ethereum's own tool reads our Hello.
fn devp2p_ping(foreign: &Foreign) {
    let (_ours, enode) = peermux_cli::listen(&[]);
    let devp2p = foreign.devp2p.as_ref().expect("built with the node");
    let run = Command::new(devp2p).args(["rlpx", "ping", &enode]).output();
    let output = run.expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let logged = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{logged}");
    assert!(printed.contains("Version:5"), "{printed}");
    assert!(printed.contains("bench/1 echo/1"), "{printed}");
}

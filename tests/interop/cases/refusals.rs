//! Connections that one side refuses.

use peermux::DisconnectReason;

use super::{Case, assert_they_dropped};
use crate::foreign::Foreign;
use crate::node::Node;
use crate::peermux_cli;

const USELESS: u8 = 0x03;
const TOO_MANY: u8 = 0x04;

/// A protocol that peermux does not support.
const STRANGE: [&str; 2] = ["--caps", "other/1"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("they_dial::we_are_full", we_are_full),
        Case::new("we_dial::they_are_full", they_are_full),
        Case::new("they_dial::nothing_in_common", they_dial_in_vain),
        Case::new("we_dial::nothing_in_common", we_dial_in_vain),
    ]
}

fn we_are_full(foreign: &Foreign) {
    let (mut ours, enode) = peermux_cli::listen(&["--max-peers", "1"]);
    let _first = foreign.drive(&enode, "hold", &[]);
    ours.event("peer_add");
    let mut second = foreign.drive(&enode, "hold", &[]);
    assert_they_dropped(&second.event("peer_drop"), TOO_MANY, "remote");
}

/// The command line reports why it was refused. The refusal may come before or after the remote's
/// Hello; EthereumJS's comes after.
fn they_are_full(foreign: &Foreign) {
    let (mut theirs, enode) = foreign.serve(&["--max-peers", "1"]);
    let node = Node::start();
    let _first = node.dial(&enode).expect("connects");
    theirs.event("peer_add");
    let refused = peermux_cli::ping(&enode, 1).ended();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
    assert!(refused.log.contains("too many peers"), "{}", refused.log);
}

/// Both sides report the refusal; either Disconnect may be first.
fn they_dial_in_vain(foreign: &Foreign) {
    let (_ours, enode) = peermux_cli::listen(&[]);
    let mut theirs = foreign.drive(&enode, "hold", &STRANGE);
    let dropped = theirs.event("peer_drop");
    assert_eq!(dropped["reason_code"], USELESS, "{dropped}");
}

fn we_dial_in_vain(foreign: &Foreign) {
    let (_theirs, enode) = foreign.serve(&STRANGE);
    let error = Node::start().dial(&enode).expect_err("nothing in common");
    assert_eq!(
        error.reason(),
        Some(DisconnectReason::USELESS_PEER),
        "{error}"
    );
}

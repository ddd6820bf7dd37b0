//! Disconnect reasons of established peers.
//!
//! Each reason is read by the other side, whichever side has dialled.

use peermux::{DisconnectReason, Fault, PeerError};

use super::{Case, assert_they_dropped, assert_they_matched, assert_we_dropped};
use crate::foreign::{Foreign, Implementation};
use crate::node::Node;
use crate::peermux_cli;

/// All reasons except network error, which no node sends.
const SENT: [u8; 12] = [
    0x00, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x10,
];
const NETWORK_ERROR: u8 = 0x01;
const QUITTING: u8 = 0x08;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("we_dial::they_read_our_reasons", our_reasons),
        Case::new("we_dial::we_read_their_reasons", their_reasons),
        Case::new("we_dial::their_shutdown", their_shutdown),
        Case::new("they_dial::they_read_our_reasons", our_reasons_to_a_dialler),
        Case::new("they_dial::they_quit", they_quit),
        Case::new("they_dial::our_shutdown", our_shutdown),
    ]
}

fn our_reasons(foreign: &Foreign) {
    let (mut theirs, enode) = foreign.serve(&[]);
    let node = Node::start();
    for code in SENT {
        let peer = node.dial(&enode).expect("connects");
        theirs.event("peer_add");
        peer.disconnect(DisconnectReason(code));
        assert_they_dropped(&theirs.event("peer_drop"), code, "remote");
        let outcome = node.outcome(&peer);
        assert!(matches!(outcome.error, PeerError::Local(DisconnectReason(own)) if own == code));
    }
    let peer = node.dial(&enode).expect("connects");
    theirs.event("peer_add");
    peer.disconnect(DisconnectReason(NETWORK_ERROR));
    assert_they_dropped(&theirs.event("peer_drop"), None, "unknown");
}

/// EthereumJS sends a bare byte, never compressed; go-ethereum sends a compressed list.
fn their_reasons(foreign: &Foreign) {
    let (mut theirs, enode) = foreign.serve(&[]);
    let node = Node::start();
    for code in SENT.into_iter().chain([NETWORK_ERROR]) {
        let peer = node.dial(&enode).expect("connects");
        theirs.event("peer_add");
        theirs.say(&format!("disconnect {code}"));
        let error = &node.outcome(&peer).error;
        if foreign.implementation == Implementation::Geth && code == NETWORK_ERROR {
            assert_eq!(
                (error.reason(), error.fault()),
                (None, Fault::Io),
                "{error}"
            );
        } else {
            assert!(error.remote_requested(), "{error}");
            assert_eq!(error.reason(), Some(DisconnectReason(code)), "{error}");
        }
        theirs.event("peer_drop");
    }
}

fn their_shutdown(foreign: &Foreign) {
    let (mut theirs, enode) = foreign.serve(&[]);
    let node = Node::start();
    let peer = node.dial(&enode).expect("connects");
    theirs.event("peer_add");
    theirs.terminate();
    let error = &node.outcome(&peer).error;
    assert!(error.remote_requested(), "{error}");
    assert_eq!(error.reason(), Some(DisconnectReason::CLIENT_QUITTING));
    theirs.succeeded();
}

fn our_reasons_to_a_dialler(foreign: &Foreign) {
    let mut node = Node::start();
    for code in [0x00, 0x02, 0x10] {
        let mut theirs = foreign.drive(&node.enode(), "hold", &[]);
        assert_they_matched(&theirs.event("peer_add"), &node.enode());
        node.next_peer().disconnect(DisconnectReason(code));
        assert_they_dropped(&theirs.event("peer_drop"), code, "remote");
        theirs.succeeded();
    }
}

fn they_quit(foreign: &Foreign) {
    let mut node = Node::start();
    let mut theirs = foreign.drive(&node.enode(), "hold", &[]);
    theirs.event("peer_add");
    let peer = node.next_peer();
    theirs.end_input();
    assert_they_dropped(&theirs.event("peer_drop"), QUITTING, "local");
    let error = &node.outcome(&peer).error;
    assert!(error.remote_requested(), "{error}");
    assert_eq!(error.reason(), Some(DisconnectReason::CLIENT_QUITTING));
}

fn our_shutdown(foreign: &Foreign) {
    let (mut ours, enode) = peermux_cli::listen(&[]);
    let mut theirs = foreign.drive(&enode, "hold", &[]);
    theirs.event("peer_add");
    ours.event("peer_add");
    ours.terminate();
    assert_they_dropped(&theirs.event("peer_drop"), QUITTING, "remote");
    assert_we_dropped(&ours.event("peer_drop"), QUITTING, "local");
    ours.succeeded();
    theirs.succeeded();
}

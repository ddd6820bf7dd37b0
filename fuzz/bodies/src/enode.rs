//! The text forms of nodes and of their parts.

use std::fmt::Debug;
use std::str::FromStr;

use peermux::node::{Endpoint, Enode, Host, Node, NodeId, NodeRecord, PublicKey};
use peermux::p2p::Capability;

use super::assert_explained;
use super::record::{check_enode, record};

/// The input is text after an optional byte.
///
/// After the byte 0x00, the text continues an enode URL with a valid key. After 0x01, the bytes
/// describe a node record.
pub fn enode(data: &[u8]) {
    const KEY: &str = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138\
                       7574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f";
    match data {
        [0, tail @ ..] => text(&format!("enode://{KEY}{}", String::from_utf8_lossy(tail))),
        [1, script @ ..] => record(script),
        _ => text(&String::from_utf8_lossy(data)),
    }
}

fn text(text: &str) {
    let enode = returns::<Enode>(text);
    let record = returns::<NodeRecord>(text);
    returns::<Endpoint>(text);
    returns::<Host>(text);
    returns::<PublicKey>(text);
    returns::<NodeId>(text);
    returns::<Capability>(text);
    let node = returns::<Node>(text);
    assert!(enode.is_none() || record.is_none());
    match node {
        Some(Node::Enode(node)) => assert_eq!(Some(node), enode),
        Some(Node::Record(node)) => {
            check_enode(&node);
            assert_eq!(Some(node), record);
        }
        // A bare key is an enode but not a node's text.
        None => assert!(record.is_none() && (enode.is_none() || !text.starts_with("enode:"))),
    }
}

/// Parses `text`. The result must print as a text with the same meaning, and that text must print
/// as itself.
pub(super) fn returns<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: std::error::Error + PartialEq> + ToString + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(&value));
            Some(value)
        }
        Err(error) => {
            assert_explained(&error);
            None
        }
    }
}

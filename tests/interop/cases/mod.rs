//! The test cases for each implementation.

mod compression;
mod crawl;
mod disconnects;
mod discovery;
mod dns;
mod eth;
mod messages;
mod packets;
mod pings;
mod refusals;

use peermux::Enode;
use serde_json::{Value, json};

use crate::foreign::{Foreign, Implementation};

/// A test case, run once per implementation.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(&Foreign) + Send>,
    only: Option<Implementation>,
}

impl Case {
    fn new(name: impl Into<String>, run: impl Fn(&Foreign) + Send + 'static) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            only: None,
        }
    }

    fn only(mut self, implementation: Implementation) -> Self {
        self.only = Some(implementation);
        self
    }

    /// Returns whether the case applies to this implementation.
    pub(crate) fn concerns(&self, implementation: Implementation) -> bool {
        self.only.is_none_or(|only| only == implementation)
    }
}

pub(crate) fn all() -> impl Iterator<Item = Case> {
    let groups = [
        messages::cases(),
        compression::cases(),
        disconnects::cases(),
        refusals::cases(),
        pings::cases(),
        crawl::cases(),
        packets::cases(),
        eth::cases(),
        discovery::cases(),
        dns::cases(),
    ];
    groups.into_iter().flatten()
}

/// Asserts that a foreign program's `peer_add` describes our node, with both protocols.
fn assert_they_matched(added: &Value, enode: &str) {
    let ours: Enode = enode.parse().expect("an enode URL");
    assert_eq!(added["node_id"], ours.node_id().to_string(), "{added}");
    assert_eq!(
        added["capabilities"],
        json!(["bench/1", "echo/1"]),
        "{added}"
    );
    let client = added["client"].as_str().expect("a client name");
    assert!(client.starts_with("peermux/"), "{added}");
}

/// Asserts the reason in a foreign program's `peer_drop`, and which side requested it.
fn assert_they_dropped(dropped: &Value, code: impl Into<Option<u8>>, requested_by: &str) {
    let code: Option<u8> = code.into();
    assert_eq!(dropped["reason_code"], json!(code), "{dropped}");
    assert_eq!(dropped["requested_by"], requested_by, "{dropped}");
}

/// Like [`assert_they_dropped`], for our binary's `peer_drop`.
fn assert_we_dropped(dropped: &Value, code: u8, requested_by: &str) {
    assert_eq!(dropped["reason"]["code"], code, "{dropped}");
    assert_eq!(dropped["requested_by"], requested_by, "{dropped}");
}

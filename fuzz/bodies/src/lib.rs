//! Bodies of the fuzz targets, as plain functions over bytes.
//!
//! Each body takes any bytes as data or as a script of actions, and panics if an invariant is
//! violated. The harness in the parent folder runs the bodies under a fuzzer; `tests/replay.rs`
//! runs them over the kept inputs. The bodies are deterministic: keys and nonces are fixed.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a violated invariant ends the fuzzer's run"
)]

mod ack;
mod admin;
mod auth;
mod chat;
mod comm;
mod config;
mod disconnect;
mod discv4;
mod dns;
mod enode;
mod eth;
mod frame;
mod gate;
mod gossip;
mod handshake;
mod hello;
mod inbox;
mod input;
mod message;
mod nodes;
mod record;
mod rlp;
mod rows;
mod snappy;
mod store;
mod waiting;
mod x509;

pub use ack::ack;
pub use admin::admin;
pub use auth::auth;
pub use chat::chat;
pub use comm::comm;
pub use config::config;
pub use disconnect::disconnect;
pub use discv4::discv4;
pub use dns::dns;
pub use enode::enode;
pub use eth::eth;
pub use frame::frame;
pub use gate::gate;
pub use gossip::gossip;
pub use hello::hello;
pub use inbox::inbox;
pub use message::message;
pub use nodes::nodes;
pub use rlp::rlp;
pub use rows::rows;
pub use store::store;
pub use x509::x509;

/// The body of a fuzz target.
pub type Body = fn(&[u8]);

/// All targets by name.
///
/// The name is also that of the target's binary and of its corpus folder.
pub const TARGETS: &[(&str, Body)] = &[
    ("ack", ack),
    ("admin", admin),
    ("auth", auth),
    ("chat", chat),
    ("comm", comm),
    ("config", config),
    ("disconnect", disconnect),
    ("discv4", discv4),
    ("dns", dns),
    ("enode", enode),
    ("eth", eth),
    ("frame", frame),
    ("gate", gate),
    ("gossip", gossip),
    ("hello", hello),
    ("inbox", inbox),
    ("message", message),
    ("nodes", nodes),
    ("rlp", rlp),
    ("rows", rows),
    ("store", store),
    ("x509", x509),
];

/// Checks that an error's text is one line of bounded length.
fn assert_explained(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 1024, "{text}");
    assert!(!text.contains(['\n', '\r', '\x1b']), "{text}");
    if let Some(source) = error.source() {
        assert_explained(source);
    }
}

//! The admin interface of a running node: a Unix socket that only its owner can open.
//!
//! `peermux listen --data-dir DIR` opens `DIR/admin.sock`, and `--admin PATH` another one; both go
//! with the node. A node whose data directory can have no socket runs without one. `peermux peers` speaks to it, and so can anything that speaks JSON lines: each
//! line is a request, and each gets one line as its answer, in order.
//!
//! | request | answer |
//! |---|---|
//! | `{"command":"peers"}` | `{"ok":[…]}`, a [`PeerInfo`](peermux::peer::PeerInfo) for each peer, by node id |
//! | `{"command":"node-info"}` | `{"ok":{…}}`, a [`NodeInfo`](peermux::peer::NodeInfo) |
//! | `{"command":"add","enode":"enode://…"}` | `{"ok":null}`: the node is kept connected from now on |
//! | `{"command":"remove","node":"…"}` | `{"ok":null}`: it is that no more, and is disconnected |
//! | `{"command":"trust","node":"…"}` | `{"ok":null}`: it is let in whatever the number of peers |
//! | `{"command":"distrust","node":"…"}` | `{"ok":null}`: it counts as others do |
//! | `{"command":"stop"}` | `{"ok":null}`; the connection closes when the node has ended |
//! | anything else, or if it cannot be done | `{"error":"…"}`, one sentence |
//!
//! An `enode` is an enode URL or a node record (`enr:`), a `node` one of these or a node id in 64
//! hexadecimal digits. What was added, removed or
//! trusted is forgotten when the node ends.
//!
//! # Limits
//!
//! A request has at most 4096 bytes; after a longer one, or one that is not UTF-8, the connection is
//! closed. So it is when no whole request came for a minute, or when an answer was not read within
//! ten seconds. A request that takes longer than ten seconds is answered with an error. Sixteen
//! connections are served at once; a further one is told so and closed.

mod client;
mod service;
mod socket;

pub(crate) use client::Client;
pub(crate) use service::Service;
pub(crate) use socket::Socket;

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
//! | `{"command":"static-nodes"}` | `{"ok":[…]}`, a [`StaticNode`](peermux::server::StaticNode) for each, by node id |
//! | `{"command":"bans"}` | `{"ok":[…]}`, a [`BanInfo`](peermux::server::BanInfo) for each ban that holds |
//! | `{"command":"recording","node":"…"}` | `{"ok":{…}}`, the [`Recording`](peermux::recorder::Recording) of a peer, or of the node's last connection |
//! | `{"command":"recordings"}` | `{"ok":[…]}`, the peers that ended last, the oldest first: as recordings, with the number of entries in their place |
//! | `{"command":"config"}` | `{"ok":{…}}`, the [`ServerConfig`](peermux::ServerConfig) that holds now, and in `metrics` the address of the metrics, or `null` |
//! | `{"command":"discovery"}` | `{"ok":{"v4":{"nodes":52,"live":49},"v5":null}}`: the nodes in the tables of discovery, and those of them that answered when they were last asked |
//! | `{"command":"events","after":7}` | `{"ok":[…]}`, the last 200 events that `listen` prints with a `time`, each with its `number`, from 1; with `after` those with higher numbers |
//! | `{"command":"add","enode":"enode://…"}` | `{"ok":{"kept":true}}`: the node is kept connected from now on |
//! | `{"command":"remove","node":"…"}` | the same: it is that no more, and is disconnected |
//! | `{"command":"trust","node":"…"}` | the same: it is let in whatever the number of peers |
//! | `{"command":"distrust","node":"…"}` | the same: it counts as others do |
//! | `{"command":"kick","node":"…"}` | the same: its connection ends |
//! | `{"command":"ban","target":"…","seconds":3600,"reason":"…"}` | the same: the node, or all nodes at the address, are kept out |
//! | `{"command":"unban","target":"…"}` | the same: that ends |
//! | `{"command":"reconfigure","settings":{"max_peers":10}}` | the same: settings have other values, all of them or none |
//! | `{"command":"log-level","filter":"peermux=debug"}` | the same: more or less is logged |
//! | `{"command":"stop"}` | `{"ok":null}`; the connection closes when the node has ended |
//! | anything else, or if it cannot be done | `{"error":"…"}`, one sentence |
//!
//! An `enode` is an enode URL or a node record (`enr:`), a `node` one of these or a node id in 64
//! hexadecimal digits, a `target` a node or an IP address. `kept` says whether a change outlasts the node's
//! next start: it does if the node has a data directory, except for settings and log levels, and for what the
//! node's own options say otherwise. If a node that is added or trusted is banned, `ban` is the
//! [`BanInfo`](peermux::server::BanInfo); a ban can also be why a node is not added.
//!
//! # Limits
//!
//! A request has at most 4096 bytes; after a longer one, or one that is not UTF-8, the connection is
//! closed. So it is when no whole request came for a minute, or when an answer was not read within
//! ten seconds. A request that takes longer than ten seconds is answered with an error. Sixteen
//! connections are served at once; a further one is told so and closed.

mod chosen;
mod client;
mod ended;
mod node;
mod service;
mod socket;
mod which;

pub(crate) use chosen::Chosen;
pub(crate) use client::Client;
pub(crate) use ended::EndedPeer;
pub(crate) use node::Node;
pub(crate) use service::Service;
pub(crate) use socket::Socket;
pub(crate) use which::Which;

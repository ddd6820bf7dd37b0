//! The admin interface of a running node: a Unix socket for its owner alone.
//!
//! `peermux listen --data-dir DIR` opens the socket `DIR/admin.sock`; with `--admin PATH` it opens a socket
//! at PATH instead. The node removes the socket when it ends. A node whose data directory cannot hold a
//! socket runs without one. `peermux peers` is a client, and so is any program that writes JSON lines: each
//! line is a request, and the node answers each with one line, in order.
//!
//! | request | answer |
//! |---|---|
//! | `{"command":"peers"}` | `{"ok":[…]}`, a [`PeerInfo`](peermux::peer::PeerInfo) for each peer, by node id |
//! | `{"command":"node-info"}` | `{"ok":{…}}`, a [`NodeInfo`](peermux::peer::NodeInfo) |
//! | `{"command":"static-nodes"}` | `{"ok":[…]}`, a [`StaticNode`](peermux::server::StaticNode) for each, by node id |
//! | `{"command":"bans"}` | `{"ok":[…]}`, a [`BanInfo`](peermux::server::BanInfo) for each ban that holds |
//! | `{"command":"recording","node":"…"}` | `{"ok":{…}}`, the [`Recording`](peermux::recorder::Recording) of a peer, or of the node's last connection; with `"ended":true` of the last one that has ended |
//! | `{"command":"recordings"}` | `{"ok":[…]}`, the peers that ended last, the oldest first: recordings that have the number of entries in place of the entries |
//! | `{"command":"config"}` | `{"ok":{…}}`, the [`ServerConfig`](peermux::ServerConfig) in force, and in `metrics` the address of the metrics, or `null` |
//! | `{"command":"discovery"}` | `{"ok":{"v4":{"nodes":52,"live":49},"v5":null}}`: the number of nodes in each discovery table, and of those that answered the last time |
//! | `{"command":"events","after":7}` | `{"ok":[…]}`, the last 200 of the events that `listen` prints with a `time`. Each also has a `number`, counted from 1. With `after`, only events with higher numbers are listed |
//! | `{"command":"add","enode":"enode://…"}` | `{"ok":{"kept":true}}`: the node is kept connected from now on |
//! | `{"command":"remove","node":"…"}` | the same: it is no longer kept connected, and is disconnected |
//! | `{"command":"trust","node":"…"}` | the same: it is accepted even above the limit on peers |
//! | `{"command":"distrust","node":"…"}` | the same: the limit on peers holds for it again |
//! | `{"command":"kick","node":"…"}` | the same: its connection ends, and it may come back |
//! | `{"command":"ban","target":"…","seconds":3600,"reason":"…"}` | the same: the node, or all nodes at the address, are disconnected and rejected, for at least one second |
//! | `{"command":"unban","target":"…"}` | the same: the ban is lifted |
//! | `{"command":"reconfigure","settings":{"max_peers":10}}` | the same: all these settings change, or none |
//! | `{"command":"log-level","filter":"peermux=debug"}` | the same: the filter of the log changes |
//! | `{"command":"stop"}` | `{"ok":null}`; the connection closes when the node has ended |
//! | anything else, or a failure | `{"error":{"text":"…"}}`, a [`FailureInfo`](peermux::setup::FailureInfo) with one sentence |
//!
//! An `enode` is an enode URL or a node record (`enr:`). A `node` is one of these, or a node id in
//! 64 hexadecimal digits. A `target` is a `node` or an IP address. `kept` says whether a change
//! still holds after the node is started again. It does if the node has a data directory. Changes
//! of settings and of the log are never kept, nor is a change that the node's options undo at its
//! next start. If an added or trusted node is banned, `ban` is its
//! [`BanInfo`](peermux::server::BanInfo). An added node that is banned is dialled when the ban
//! ends.
//!
//! # Limits
//!
//! A request has at most 4096 bytes. The node closes the connection after a longer request, after a request
//! that is not UTF-8, when no whole request has come for a minute, and when the client does not read an
//! answer within ten seconds. A request that takes longer than ten seconds is answered with an error.
//! Sixteen connections are served at once; a further connection gets an error and is closed.

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

//! Tests of the `peermux` binary with real processes and real sockets on loopback.
//!
//! No test waits by the clock. Instead, a test reads lines that show how far a process is. Every wait has a
//! generous deadline, so that a process that hangs is a failure.
#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in helper functions too"
)]

mod bench;
mod chat;
mod config;
mod core_dumps;
mod crawl;
mod data_dir;
mod demo;
mod discovery;
mod dns;
mod folder;
mod foreign;
mod json;
mod key;
mod listen;
mod logs;
#[cfg(feature = "metrics")]
mod metrics;
mod node;
mod output;
mod peers;
mod peers_table;
#[cfg(feature = "top")]
mod picture;
mod ping;
mod process;
mod record;
mod refused;
mod resolve;
mod service;
mod signals;
mod static_nodes;
#[cfg(feature = "top")]
mod tmux;
#[cfg(feature = "top")]
mod top;
mod usage;
mod why;

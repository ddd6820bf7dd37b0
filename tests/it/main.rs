//! Integration tests of what users of the crate can see.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in helper functions too"
)]

mod addrbook;
mod book_of_server;
mod comm;
mod connmgr;
mod metrics;
mod pair;
mod peer;
mod requests;
mod server;
mod setup;
mod vectors;

//! The integration tests, one binary.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy takes the helpers of tests for production code"
)]

mod vectors;

//! The `peermux` command line.
#![forbid(unsafe_code)]

fn main() {}

//! Files of nodes: what `peermux crawl` writes, and reads to go on.
//!
//! A file has one of three forms: JSON lines, an object with all that is known of a node each; the node
//! set of go-ethereum's `devp2p`; or nodes as text, an enode URL or a record a line, where `#` begins a
//! remark. Reading tells them apart by how the file begins.

mod error;
mod known;
mod node_set;
mod read;
mod time;
mod write;

pub use error::{NodeFileError, WrongEntry};
pub use known::{EthStatus, KnownNode, Outcome, Source};
pub use read::{MAX_FILE, MAX_LINE, NodesRead, read};
pub use time::UnixTime;
pub use write::{Format, write};

#[cfg(test)]
mod tests;

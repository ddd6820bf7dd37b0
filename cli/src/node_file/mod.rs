//! Files of nodes, which `peermux crawl` writes and reads.
//!
//! A file has one of three forms: JSON lines, with one object for each node; the node set of
//! go-ethereum's `devp2p`; or text, with an enode URL or a record on each line, where `#` begins a
//! comment. The reader recognises the form by the beginning of the file.

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

//! What can go wrong between a book and its file.

use std::io;
use std::path::PathBuf;

use crate::private_file::Exposed;

/// Why a book could not be read or written. Nothing is ever deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is not what was written. Unless `kept` is `None`, it was renamed to that, and
    /// opening `path` again starts an empty book.
    #[error("{path:?} is damaged: {what}{}", kept_as(.kept))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// Where it is kept now.
        kept: Option<PathBuf>,
    },
    /// The file was written by a newer version of this library. It is left where it is.
    #[error("{path:?} has format version {found}, and this program reads up to {supported}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// Another process has the file open.
    #[error("{path:?} is open in another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner could read or change the file. It is left as it is.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// Reading or writing failed.
    #[error("cannot {doing} {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done: "open", "read", "write" or "rename".
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

fn kept_as(kept: &Option<PathBuf>) -> String {
    match kept {
        Some(kept) => format!("; it is kept as {kept:?}"),
        None => String::new(),
    }
}

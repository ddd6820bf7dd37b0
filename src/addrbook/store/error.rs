//! The errors between a book and its file.

use std::io;
use std::path::PathBuf;

use crate::private_file::Exposed;

/// Why a book could not be read or written.
///
/// No error deletes a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is damaged.
    ///
    /// If `kept` is set, the file was renamed to that path, and opening `path` again starts an
    /// empty book.
    #[error("{path:?} is damaged: {what}{}", kept_as(.kept))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        what: String,
        /// The new path of the file.
        kept: Option<PathBuf>,
    },
    /// A newer version of this library wrote the file. It is left unchanged.
    #[error("{path:?} has format version {found}, and this program reads up to {supported}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the file.
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
    /// Users other than the owner of the file could read or change it. The file is left unchanged.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// Reading or writing failed.
    #[error("cannot {doing} {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The failed operation: "open", "read", "write" or "rename".
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

//! The data directory, which keeps a key and known nodes between runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peermux::addrbook::{AddressBook, AddressBookConfig, BookConfig, StoreError, SystemClock};
use peermux::private_file::{self, OpenError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::refused::Refused;

/// The data directory of one node.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// Opens the folder. If it is missing, makes it with access for its owner only.
    ///
    /// Fails if the folder exists and other users can write to it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if std::fs::symlink_metadata(path).is_err() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            let made = builder.create(path);
            made.map_err(|error| cannot("make", path, &Refused::Make.text(&error)))?;
        }
        private_file::check_folder(path).map_err(|error| match error {
            OpenError::Io(error) => cannot("use", path, &error),
            exposed => Failure::because(format!("data directory {exposed}")),
        })?;
        Ok(Self(path.to_owned()))
    }

    /// Returns the file with the node's secret key.
    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    /// Returns the file with the address book and the node database.
    fn book(&self) -> PathBuf {
        self.0.join("addresses.redb")
    }
}

/// Returns the path of the node's own record in a data directory.
pub(crate) fn record(data_dir: &Path) -> PathBuf {
    data_dir.join("record")
}

/// Returns the path of the list of added and trusted nodes in a data directory.
#[cfg(unix)]
pub(crate) fn kept_nodes(data_dir: &Path) -> PathBuf {
    data_dir.join("nodes.json")
}

/// Returns the path of the admin socket in a data directory.
#[cfg(unix)]
pub(crate) fn admin_socket(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

/// The address book of a data directory, and the task that writes it.
#[derive(Debug)]
pub(crate) struct KeptBook {
    book: AddressBook,
    stop: CancellationToken,
    /// Cancelled when the task has ended.
    ended: CancellationToken,
    writer: JoinHandle<Result<(), Arc<StoreError>>>,
}

impl KeptBook {
    /// Opens the address book, or makes an empty one.
    pub(crate) async fn open(folder: &DataDir, config: BookConfig) -> Result<Self, Failure> {
        let config = AddressBookConfig::default().with_book(config);
        let opened = AddressBook::open(folder.book(), config, SystemClock::new()).await;
        let (book, persistence) = opened.map_err(|error| Failure::because(advice(&error)))?;
        let stop = CancellationToken::new();
        let ended = CancellationToken::new();
        let (stopped, end) = (stop.clone().cancelled_owned(), ended.clone().drop_guard());
        let writer = tokio::spawn(async move {
            let _end = end;
            persistence.run(stopped).await
        });
        Ok(Self {
            book,
            stop,
            ended,
            writer,
        })
    }

    /// Returns a handle on the address book.
    pub(crate) fn book(&self) -> AddressBook {
        self.book.clone()
    }

    /// Completes when the writer has ended.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone().cancelled_owned()
    }

    /// Writes the last changes, and closes the file.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        self.stop.cancel();
        let written = self.writer.await.map_err(Failure::because)?;
        written.map_err(|error| Failure::because(advice(&error)))
    }
}

/// Describes an error of the address book, and what to do about the error.
fn advice(error: &StoreError) -> String {
    match error {
        StoreError::Damaged {
            path,
            what,
            kept: Some(kept),
        } => format!(
            "address book {} is damaged ({what}) and was renamed to {}; start again to begin with an empty one",
            path.display(),
            kept.display()
        ),
        StoreError::Damaged { path, what, .. } => format!(
            "address book {} is damaged ({what}); move it away to begin with an empty one",
            path.display()
        ),
        StoreError::Newer {
            path,
            found,
            supported,
        } => format!(
            "address book {} was written by a newer peermux (format {found}, this one reads up to {supported}); use the newer one, or move the file away to begin with an empty one",
            path.display()
        ),
        StoreError::Exposed(exposed) => format!("address book {exposed}"),
        StoreError::InUse { path } => format!(
            "address book {} is open in another process; give each node a data directory of its own",
            path.display()
        ),
        StoreError::Io {
            path,
            doing,
            source,
        } => format!("cannot {doing} address book {}: {source}", path.display()),
        error => error.to_string(),
    }
}

fn cannot(what: &str, path: &Path, why: &dyn fmt::Display) -> Failure {
    Failure::because(format!(
        "cannot {what} data directory {}: {why}",
        path.display()
    ))
}

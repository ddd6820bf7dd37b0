//! A store in one file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};

use super::lock::LockIfPossible;
use super::{Change, Row, Store, StoreError, Table};
use crate::private_file::{self, OpenError, Unfinished};

/// The bound on the database's cache, in bytes. The rows take far less.
const CACHE: usize = 4 << 20;

/// A store in one file, by the embedded database `redb`.
///
/// A commit is one transaction: it is flushed to disk before it takes effect, and a crash at any
/// moment leaves the file as it was after the last commit.
///
/// The file is created readable for its owner only, because it holds the secret that chooses
/// buckets. A file that others can read or change, or a symbolic link, is not opened
/// ([`private_file`]). Only one process can have the file open; on a file system without locks this
/// is not enforced, and a warning is logged.
///
/// A new file is made under another name, `path.new-…`, and renamed when it is complete. A process
/// that is killed before that leaves the new file behind, and it is never read.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    /// `None` after an error, which closes the database.
    database: Option<Database>,
}

impl RedbStore {
    /// Opens a file or creates it, and verifies the checksums of its content.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the file is not such a database or was changed by another
    /// program; the file stays where it is. [`StoreError::Exposed`] if other users can access it,
    /// [`StoreError::InUse`] if another process has it open, [`StoreError::Io`] otherwise.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let database = Some(open(&path)?);
        Ok(Self { path, database })
    }

    /// Renames a damaged file, and returns its new path.
    ///
    /// The path is the first free one of `path.damaged-1`, `path.damaged-2` and so on. Close the
    /// store first.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file cannot be renamed.
    pub fn keep_aside(path: &Path) -> Result<PathBuf, StoreError> {
        private_file::keep_aside(path).map_err(|error| failed(path, "rename", error))
    }

    fn read(&self) -> Result<Vec<Row>, Problem> {
        let Some(database) = &self.database else {
            return Err(StorageError::DatabaseClosed.into());
        };
        let read = database.begin_read().map_err(redb::Error::from)?;
        let mut rows = Vec::new();
        for table in Table::ALL {
            let opened = match read.open_table(definition(table)) {
                Err(TableError::TableDoesNotExist(_)) => continue,
                opened => opened.map_err(redb::Error::from)?,
            };
            for row in opened.iter()? {
                let (key, value) = row?;
                rows.push(Row::new(table, key.value(), value.value()));
            }
        }
        Ok(rows)
    }
}

impl Store for RedbStore {
    fn load(&mut self) -> Result<Vec<Row>, StoreError> {
        self.read()
            .map_err(|problem| problem.at(&self.path, "read"))
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        // After an error the database stays closed, because redb accepts no more writes.
        write(&database, changes).map_err(|problem| problem.at(&self.path, "write"))?;
        self.database = Some(database);
        Ok(())
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn definition(table: Table) -> Bytes {
    TableDefinition::new(table.name())
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let cannot_open = |error| failed(path, "open", error);
    if private_file::is_missing(path).map_err(cannot_open)? {
        // A database does not survive a crash during its creation, so the file gets its final name
        // only when it is complete.
        let unfinished = Unfinished::beside(path);
        let file = private_file::create(unfinished.path()).map_err(cannot_open)?;
        drop(open_file(file, unfinished.path())?);
        let placed = match path.try_exists() {
            Ok(false) => unfinished.put_in_place(path),
            Ok(true) => unfinished.replace(path),
            Err(error) => Err(error),
        };
        match placed {
            // Another process has created the file in the meantime.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            placed => placed.map_err(|error| failed(path, "rename", error))?,
        }
    }
    let file = private_file::open_or_create(path).map_err(|error| match error {
        OpenError::Exposed(exposed) => exposed.into(),
        OpenError::Io(error) => cannot_open(error),
    })?;
    open_file(file, path)
}

fn open_file(file: File, path: &Path) -> Result<Database, StoreError> {
    let file = FileBackend::new(file).map_err(|error| Problem::from(error).at(path, "open"))?;
    let backend = LockIfPossible {
        file,
        path: path.to_owned(),
    };
    Database::builder()
        .set_cache_size(CACHE)
        .set_check_integrity_on_open(true)
        .create_with_backend(backend)
        .map_err(|error| Problem::from(error).at(path, "open"))
}

fn write(database: &Database, changes: &[Change]) -> Result<(), Problem> {
    let write = database.begin_write().map_err(redb::Error::from)?;
    for table in Table::ALL {
        let mut opened = write
            .open_table(definition(table))
            .map_err(redb::Error::from)?;
        for change in changes.iter().filter(|change| change.table == table) {
            match &change.value {
                Some(value) => opened.insert(&*change.key, &**value)?,
                None => opened.remove(&*change.key)?,
            };
        }
    }
    write.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// An error of the database, before it becomes a [`StoreError`].
struct Problem(redb::Error);

impl<E: Into<redb::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Problem {
    fn at(self, path: &Path, doing: &'static str) -> StoreError {
        let damaged = |what: String| StoreError::Damaged {
            path: path.to_owned(),
            what,
            kept: None,
        };
        match self.0 {
            redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
                path: path.to_owned(),
            },
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                damaged(format!("not a database: {error}"))
            }
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                damaged(format!("cut off: {error}"))
            }
            redb::Error::Io(error) => failed(path, doing, error),
            error @ (redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)) => damaged(error.to_string()),
            error => failed(path, doing, io::Error::other(error)),
        }
    }
}

fn failed(path: &Path, doing: &'static str, source: io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

//! The database file on file systems without locks.

use std::ops::Bound;
use std::path::PathBuf;

use redb::{BackendError, StorageBackend};

/// A file that is used without a lock if it cannot be locked. This is necessary because some file
/// systems have no locks, and a network's lock server may be missing.
#[derive(Debug)]
pub(super) struct LockIfPossible<B> {
    pub(super) file: B,
    pub(super) path: PathBuf,
}

impl<B: StorageBackend> LockIfPossible<B> {
    fn warn(&self, error: BackendError) {
        let reason: std::io::Error = error.into();
        tracing::warn!(
            path = ?self.path,
            %reason,
            "the file cannot be locked: make sure that no other process uses it"
        );
    }
}

impl<B: StorageBackend> StorageBackend for LockIfPossible<B> {
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end).map_err(|error| {
            // redb's last attempt is to lock the whole file. If that is not supported, redb
            // continues without a lock.
            if (start, end) == (Bound::Unbounded, Bound::Unbounded) {
                self.warn(error);
            }
            BackendError::Unsupported
        })
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use redb::Database;
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A file whose lock server does not answer.
    #[derive(Debug)]
    struct NoLocks(InMemoryBackend);

    impl StorageBackend for NoLocks {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.0.write(offset, data)
        }

        fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
            Err(BackendError::Io(io::Error::other("no locks available")))
        }
    }

    #[test]
    fn a_file_that_cannot_be_locked_is_used_without_a_lock() {
        let plain = NoLocks(InMemoryBackend::new());
        assert!(Database::builder().create_with_backend(plain).is_err());
        let backend = LockIfPossible {
            file: NoLocks(InMemoryBackend::new()),
            path: PathBuf::from("book"),
        };
        let database = Database::builder().create_with_backend(backend).unwrap();
        database.begin_write().unwrap().commit().unwrap();
    }
}

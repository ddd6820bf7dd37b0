//! The stores that keep a book between two runs.

use std::path::Path;

mod error;
mod lock;
mod memory;
mod redb;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use redb::RedbStore;

/// One table of a [`Store`].
///
/// Only the book interprets its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Table {
    /// The version of the rows and the secret that chooses buckets.
    Meta,
    /// Addresses by node id.
    Addresses,
    /// Node records by node id.
    Nodes,
    /// Bans by IP address.
    IpBans,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 4] = [Self::Meta, Self::Addresses, Self::Nodes, Self::IpBans];

    /// The table's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Addresses => "addresses",
            Self::Nodes => "nodes",
            Self::IpBans => "ip_bans",
        }
    }
}

/// A row that a [`Store`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The row's table.
    pub table: Table,
    /// The row's key in its table.
    pub key: Vec<u8>,
    /// The row's value.
    pub value: Vec<u8>,
}

impl Row {
    /// Creates a row.
    pub fn new(table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            table,
            key: key.into(),
            value: value.into(),
        }
    }
}

/// A row to be written or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The row's table.
    pub table: Table,
    /// The row's key in its table.
    pub key: Vec<u8>,
    /// The new value, or `None` to remove the row.
    pub value: Option<Vec<u8>>,
}

impl Change {
    /// Creates a change that writes a row, or removes it if `value` is `None`.
    pub fn new(table: Table, key: impl Into<Vec<u8>>, value: Option<Vec<u8>>) -> Self {
        Self {
            table,
            key: key.into(),
            value,
        }
    }
}

/// A storage for rows.
///
/// Its functions may block; they are never called on a thread of the async runtime.
pub trait Store: std::fmt::Debug + Send + 'static {
    /// Returns all rows.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the rows differ from those that were written, [`StoreError::Io`]
    /// if they cannot be read.
    fn load(&mut self) -> Result<Vec<Row>, StoreError>;

    /// Makes all changes or, on an error or a crash, none of them.
    ///
    /// Once it has returned `Ok`, the changes survive a crash of the process and of the machine.
    ///
    /// # Errors
    /// [`StoreError::Io`] if nothing was written; a later call may succeed.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// The file, for error texts; a name in angle brackets if there is no file.
    fn path(&self) -> &Path;
}

//! A store that lives as long as the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Change, Row, Store, StoreError, Table};
use crate::mutex::Mutex;

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// A store in memory.
///
/// Clones share their rows, so a clone can outlive a book, and the next book can be loaded from
/// that clone.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Rows>>);

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Vec<Row>, StoreError> {
        let rows = self.0.lock();
        let row = |((table, key), value): (&(Table, Vec<u8>), &Vec<u8>)| {
            Row::new(*table, key.clone(), value.clone())
        };
        Ok(rows.iter().map(row).collect())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut rows = self.0.lock();
        for change in changes {
            let key = (change.table, change.key.clone());
            match &change.value {
                Some(value) => rows.insert(key, value.clone()),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }

    fn path(&self) -> &Path {
        Path::new("<memory>")
    }
}

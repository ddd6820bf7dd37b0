//! Turns rows into a book and a book into rows, for the fuzz target.

use std::time::SystemTime;

use rand::CryptoRng;

use super::buckets::Shape;
use super::rows::{self, Pending};
use super::{BanTarget, Book, BookConfig, NodeDb, NodeDbConfig, Row};

/// Builds a book and a node database from rows, or returns the error.
pub fn load(
    rows: &[Row],
    now: SystemTime,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(Book, NodeDb), String> {
    let (book, nodes) = (BookConfig::default(), NodeDbConfig::default());
    let loaded = rows::load(rows, book, nodes, Shape::default(), now, rng);
    loaded.map_err(|error| match error {
        rows::BadRows::Newer { found } => format!("version {found}"),
        rows::BadRows::Damaged(what) => what,
    })
}

/// All rows of a book and a node database.
pub fn rows(book: &mut Book, nodes: &mut NodeDb, now: SystemTime) -> Vec<Row> {
    for id in book.entries.keys() {
        book.unsaved.changed(*id);
    }
    let ids: Vec<_> = nodes.nodes().map(|(id, _)| BanTarget::Node(*id)).collect();
    let bans: Vec<_> = nodes.bans(now).map(|(target, _)| target).collect();
    for target in ids.into_iter().chain(bans) {
        nodes.unsaved.changed(target);
    }
    let mut pending = Pending::take(book, nodes);
    let mut changes = rows::meta_rows(book);
    changes.extend(pending.next(book, nodes, usize::MAX));
    let row = |change: super::Change| Some(Row::new(change.table, change.key, change.value?));
    changes.into_iter().filter_map(row).collect()
}

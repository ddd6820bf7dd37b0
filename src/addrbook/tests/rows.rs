//! Building a book from stored rows.

use super::super::nodes::NodeDbConfig;
use super::super::rows::{self, BadRows, Pending};
use super::super::{Row, Table};
use super::*;

fn rows_of(book: &mut Book) -> Vec<Row> {
    let mut nodes = Default::default();
    for id in book.entries.keys() {
        book.unsaved.changed(*id);
    }
    let mut pending = Pending::take(book, &mut nodes);
    let mut changes = rows::meta_rows(book);
    changes.extend(pending.next(book, &mut nodes, usize::MAX));
    let row =
        |change: super::super::Change| Row::new(change.table, change.key, change.value.unwrap());
    changes.into_iter().map(row).collect()
}

fn load(rows: &[Row]) -> Result<Book, BadRows> {
    let config = BookConfig::default();
    let loaded = rows::load(
        rows,
        config,
        NodeDbConfig::default(),
        Shape::default(),
        start(),
        &mut rng(),
    );
    loaded.map(|(book, _)| book)
}

#[test]
fn what_is_wrong_with_a_row_is_said_in_a_short_line() {
    let mut full = book();
    add(&mut full, &node(1), start());
    let good = rows_of(&mut full);
    let address = good
        .iter()
        .position(|row| row.table == Table::Addresses)
        .unwrap();
    let mut long_key = good.clone();
    long_key[address].key = vec![b'k'; 100_000];
    let mut long_source = good;
    let mut row = crate::rlp::RlpStream::new_list(2);
    row.append(&node(1).to_string())
        .append(&"x".repeat(100_000));
    long_source[address].value = row.out().to_vec();
    for rows in [long_key, long_source] {
        let Err(BadRows::Damaged(what)) = load(&rows) else {
            panic!("they are damaged")
        };
        assert!(what.len() < 400, "{} bytes", what.len());
    }
}

/// A book is built completely or not at all, so its counts match its content.
#[test]
fn damaged_rows_make_no_book() {
    let mut full = book();
    for number in 0..50 {
        add(&mut full, &node(number), start());
    }
    full.good(&node(0), start()).unwrap();
    let good = rows_of(&mut full);
    assert_eq!(load(&good).unwrap().len(), full.len());

    let address = good
        .iter()
        .rposition(|row| row.table == Table::Addresses)
        .unwrap();
    let mut broken = vec![good.clone(), good.clone(), good.clone(), good];
    broken[0][address].value.truncate(20);
    broken[1][address].key[0] ^= 1;
    broken[2].retain(|row| row.table != Table::Meta);
    broken[3][address].value = broken[3][address - 1].value.clone();
    for rows in broken {
        assert!(matches!(load(&rows), Err(BadRows::Damaged(_))));
    }
    // The application continues with an empty book.
    let empty = load(&[]).unwrap();
    assert_eq!((empty.len(), empty.tried_len()), (0, 0));
    assert!(empty.get(start(), &mut rng()).is_none());
    assert!(empty.draw(|_| true, start(), &mut rng()).is_none());
}

//! The handle and its writer over a store in memory, in virtual time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::super::{
    AddError, AddressBook, AddressBookConfig, BanTarget, Change, Clock, FlushError, MemoryStore,
    NodeDbConfig, Persistence, Row, Store, StoreError, Table,
};
use super::*;

/// A clock that is stopped at a whole millisecond, since the store keeps milliseconds.
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        start()
    }
}

async fn load(store: &MemoryStore) -> Result<(AddressBook, Persistence), StoreError> {
    let clock = Still;
    AddressBook::load(store.clone(), AddressBookConfig::default(), clock).await
}

fn meta(version: u32) -> Change {
    Change::new(
        Table::Meta,
        b"version",
        Some(version.to_be_bytes().to_vec()),
    )
}

/// The store keeps tried and new addresses, the node database, and its bans.
#[tokio::test]
async fn a_saved_book_is_restored_completely() {
    let store = MemoryStore::default();
    let (book, writer) = load(&store).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
    for number in 0..5 {
        book.add(&node(number), stranger()).unwrap();
    }
    book.good(&node(0)).unwrap();
    book.failed(&id(&node(1)));
    book.remove(&id(&node(4)));
    book.ban(BanTarget::Node(id(&node(9))), HOUR, "spam");
    book.ban(BanTarget::ip(ip("2a00::1")), HOUR, "flood");
    assert_eq!(book.penalise(&id(&node(2)), 5, 7, "noise"), 12);
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(matches!(book.flush().await, Err(FlushError::Stopped)));

    let (again, _writer) = load(&store).await.unwrap();
    assert_eq!(again.len(), 4);
    for number in 0..5 {
        let id = id(&node(number));
        let entry = |book: &AddressBook| book.entry(&id).map(|entry| format!("{entry:?}"));
        // The store does not keep the fields from `successes_seen` on.
        let lasting = |text: Option<String>| {
            text.map(|text| text.split("successes_seen").next().unwrap().to_owned())
        };
        assert_eq!(lasting(entry(&again)), lasting(entry(&book)));
        assert_eq!(
            again.node(&id).map(|info| info.failures),
            book.node(&id).map(|info| info.failures)
        );
    }
    assert_eq!(again.node(&id(&node(2))), book.node(&id(&node(2))));
    assert_eq!(again.bans(), book.bans());
    assert_eq!(again.bans().len(), 2);
}

/// Changes are written at the interval, without a request.
#[tokio::test(start_paused = true)]
async fn changes_are_written_at_the_interval() {
    let store = MemoryStore::default();
    let (book, writer) = load(&store).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
    book.add(&node(1), stranger()).unwrap();
    let addresses = |store: &MemoryStore| {
        let rows = store.clone().load().unwrap();
        rows.iter()
            .filter(|row| row.table == Table::Addresses)
            .count()
    };
    assert_eq!(addresses(&store), 0);
    // The clock is paused, so this sleep ends once everything else waits.
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(addresses(&store), 1);
    // When all handles are gone, the writer writes what is left and ends.
    book.add(&node(2), stranger()).unwrap();
    drop(book);
    running.await.unwrap().unwrap();
    assert_eq!(addresses(&store), 2);
}

/// The error for a newer or damaged store names the store and the cause.
#[tokio::test]
async fn newer_and_damaged_stores_are_reported() {
    let mut store = MemoryStore::default();
    store.commit(&[meta(7)]).unwrap();
    let error = load(&store).await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::Newer {
            found: 7,
            supported: 1,
            ..
        }
    ));
    assert_eq!(
        error.to_string(),
        "\"<memory>\" has format version 7, and this program reads up to 1"
    );
    for version in [0, 1] {
        store.commit(&[meta(version)]).unwrap();
        let error = load(&store).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { kept: None, .. }),
            "{error}"
        );
    }
}

/// A store that fails while `fails` is set.
#[derive(Debug)]
struct Moody {
    inner: MemoryStore,
    fails: Arc<AtomicBool>,
}

impl Store for Moody {
    fn load(&mut self) -> Result<Vec<Row>, StoreError> {
        self.inner.load()
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Io {
                path: self.path().to_owned(),
                doing: "write",
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.inner.commit(changes)
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }
}

/// A full disk loses nothing: the changes are written when there is room again.
#[tokio::test]
async fn changes_survive_a_store_that_fails_for_a_while() {
    let (inner, fails) = (MemoryStore::default(), Arc::new(AtomicBool::new(false)));
    let store = Moody {
        inner: inner.clone(),
        fails: Arc::clone(&fails),
    };
    let clock = Still;
    let (book, writer) = AddressBook::load(store, AddressBookConfig::default(), clock)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
    fails.store(true, Ordering::Relaxed);
    // More than one batch.
    for number in 0..2000 {
        let source = Source::Ip(ip(&format!("{}.{}.1.1", 20 + number % 70, number / 70)));
        book.add(&node(number), source).unwrap();
    }
    assert!(matches!(book.flush().await, Err(FlushError::Store(_))));
    book.ban(BanTarget::Node(id(&node(5))), HOUR, "gone meanwhile");
    fails.store(false, Ordering::Relaxed);
    book.flush().await.unwrap();
    let (again, _writer) = load(&inner).await.unwrap();
    assert_eq!((again.len(), again.bans()), (book.len(), book.bans()));
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Banned nodes are neither added nor drawn, whether banned by id or by IP address.
#[tokio::test]
async fn banned_nodes_are_neither_added_nor_drawn() {
    let (book, _writer) = load(&MemoryStore::default()).await.unwrap();
    let (by_ip, by_id, by_score) = (
        at(1, "12.1.2.3:1"),
        at(2, "12.2.2.3:1"),
        at(3, "12.3.2.3:1"),
    );
    for enode in [&by_ip, &by_id, &by_score] {
        book.add(enode, stranger()).unwrap();
    }
    book.ban(BanTarget::Ip(ip("12.1.2.3")), HOUR, "flood");
    book.ban(BanTarget::Node(id(&by_id)), HOUR, "spam");
    book.penalise(&id(&by_score), 101, 0, "worse");
    assert!(book.is_empty() && book.draw(|_| true).is_none());
    for enode in [&by_ip, &by_id, &by_score] {
        let added = book.add(enode, Source::Own);
        assert!(matches!(added, Err(AddError::Banned { .. })));
    }
    assert!(book.unban(BanTarget::Node(id(&by_id))));
    book.add(&by_id, stranger()).unwrap();
    assert_eq!(book.draw(|_| true), Some(by_id));
}

/// Rows beyond a lowered limit are removed from the store with the next write.
#[tokio::test]
async fn a_lowered_limit_applies_to_stored_rows() {
    let store = MemoryStore::default();
    let (book, writer) = load(&store).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    for number in 0..10 {
        book.failed(&id(&node(number)));
    }
    writer.run(stop.clone().cancelled_owned()).await.unwrap();
    let config = AddressBookConfig::default().with_nodes(NodeDbConfig::default().with_max_nodes(4));
    let clock = Still;
    let (_book, writer) = AddressBook::load(store.clone(), config, clock)
        .await
        .unwrap();
    writer.run(stop.cancelled_owned()).await.unwrap();
    let rows = store.clone().load().unwrap();
    assert_eq!(
        rows.iter().filter(|row| row.table == Table::Nodes).count(),
        4
    );
}

#[tokio::test(start_paused = true)]
async fn times_and_counts_of_any_size_work() {
    let ends = [
        (Duration::MAX, usize::MAX, u32::MAX),
        (Duration::ZERO, 0, 0),
    ];
    for (time, count, score) in ends {
        let nodes = NodeDbConfig::default()
            .with_max_nodes(count)
            .with_max_ip_bans(count)
            .with_ban_above(score)
            .with_ban_for(time);
        let config = AddressBookConfig::default()
            .with_nodes(nodes)
            .with_flush_every(time);
        let store = MemoryStore::default();
        let (book, writer) = AddressBook::load(store, config, Still).await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
        book.add(&node(1), stranger()).unwrap();
        book.flush().await.unwrap();
        for target in [BanTarget::Node(id(&node(1))), BanTarget::ip(ip("2a00::1"))] {
            book.ban(target, time, "for ever, or not at all");
        }
        let banned = book.banned(&id(&node(1))).is_some();
        assert_eq!(banned, !time.is_zero());
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}

//! Rows of an address book, and damaged files of an address book.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use peermux::addrbook::fuzzing::{load, rows as rows_of};
use peermux::addrbook::{
    AddressBook, AddressBookConfig, BanTarget, Book, BookConfig, NodeDb, NodeDbConfig, RedbStore,
    Row, Source, Store, StoreError, SystemClock, Table,
};
use peermux::{Enode, NodeId, SecretKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::runtime::{Builder, Runtime};

use super::assert_explained;
use super::input::Input;

static SAMPLE: LazyLock<Vec<Row>> = LazyLock::new(|| sample(&mut rng()));
/// The sample book, as the bytes of a file.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = Folder::new("sample");
    let path = folder.0.join("book");
    let mut store = RedbStore::open(&path).expect("a store");
    let changes: Vec<_> = SAMPLE
        .iter()
        .map(|row| peermux::addrbook::Change::new(row.table, &*row.key, Some(row.value.clone())))
        .collect();
    store.commit(&changes).expect("written");
    drop(store);
    fs::read(path).expect("it is there")
});
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
});

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_782_864_000)
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// The input changes valid rows or a valid file.
///
/// It changes rows if its first byte is below 0xe0, else a file.
pub fn rows(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        ..0xe0 => check_rows(&change_rows(&mut input)),
        _ => check_file(&mut input),
    }
}

/// Returns some addresses, new and tried, and some bans.
fn sample(rng: &mut StdRng) -> Vec<Row> {
    let mut book = Book::new(BookConfig::default(), rng);
    let mut nodes = NodeDb::new(NodeDbConfig::default());
    for number in 1..6_u8 {
        let key = SecretKey::from_bytes(&[number; 32])
            .expect("a key")
            .public_key();
        let enode = Enode::new(key, ([9, number, 9, 9], 30303).into());
        let source = Source::Ip([7, 7, number, 7].into());
        book.add(&enode, source, now(), now(), rng)
            .expect("admitted");
        if number < 3 {
            book.good(&enode, now()).expect("admitted");
        }
        nodes.seen(&enode.node_id(), now());
        nodes.penalise(&enode.node_id(), 1, 30 * u32::from(number), "spam", now());
    }
    let day = Duration::from_secs(86_400);
    nodes.ban(
        BanTarget::Node(NodeId::from_bytes([9; 32])),
        day,
        "bad",
        now(),
    );
    nodes.ban(BanTarget::Ip([6, 6, 6, 6].into()), day, "worse", now());
    rows_of(&mut book, &mut nodes, now())
}

fn change_rows(input: &mut Input<'_>) -> Vec<Row> {
    let mut rows = SAMPLE.clone();
    while !input.is_empty() {
        let choice = input.byte();
        let at = usize::from(input.byte()) % rows.len().max(1);
        let Some(row) = rows.get_mut(at) else { break };
        match choice % 6 {
            0 => row.value = input.sized().to_vec(),
            1 if !row.value.is_empty() => {
                let place = usize::from(input.byte()) % row.value.len();
                row.value[place] ^= input.byte();
            }
            2 => row.key = input.sized().to_vec(),
            3 => row.table = Table::ALL[usize::from(input.byte() % 4)],
            4 => drop(rows.remove(at)),
            _ => {
                let copy = row.clone();
                rows.push(copy);
            }
        }
    }
    rows
}

/// Rows are rejected, or they make a book whose own rows make the same book.
fn check_rows(rows: &[Row]) {
    let (mut book, mut nodes) = match load(rows, now(), &mut rng()) {
        Ok(loaded) => loaded,
        Err(what) => {
            assert!(!what.is_empty() && what.len() < 1024, "{what}");
            return;
        }
    };
    let addresses = rows.iter().filter(|row| row.table == Table::Addresses);
    assert!(book.len() <= addresses.count());
    assert!(book.tried_len() <= book.len());
    let _ = book.draw(|_| true, now(), &mut rng());
    let written = rows_of(&mut book, &mut nodes, now());
    let (mut book, mut nodes) = load(&written, now(), &mut rng()).expect("the written form");
    assert_eq!(rows_of(&mut book, &mut nodes, now()), written);
}

/// A damaged file makes a book, or it is set aside and replaced.
fn check_file(input: &mut Input<'_>) {
    let folder = Folder::new("damaged");
    let path = folder.0.join("book");
    let mut bytes = FILE.clone();
    if input.byte() & 1 == 1 {
        bytes.truncate((input.u64() % (FILE.len() as u64)) as usize);
    }
    while !input.is_empty() && !bytes.is_empty() {
        let at = (input.u64() >> 32) as usize % bytes.len();
        bytes[at] ^= input.byte();
    }
    fs::write(&path, &bytes).expect("written");
    match open(&path) {
        Ok(book) => drop(book),
        Err(error @ StoreError::Damaged { .. }) => {
            assert_explained(&error);
            let StoreError::Damaged {
                kept: Some(kept), ..
            } = error
            else {
                panic!("the damaged file is not kept")
            };
            assert_eq!(fs::read(kept).expect("kept").len(), bytes.len());
            assert!(!path.exists());
            let fresh = open(&path).expect("an empty one");
            assert_eq!(fresh.len(), 0);
        }
        Err(error) => {
            assert_explained(&error);
            assert!(path.exists(), "the file was removed");
        }
    }
}

fn open(path: &Path) -> Result<AddressBook, StoreError> {
    let config = AddressBookConfig::default().with_seed(Some(7));
    let opened = AddressBook::open(path, config, SystemClock::new());
    RUNTIME.block_on(opened).map(|(book, _)| book)
}

/// A folder of this process, removed when this is dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("peermux-fuzz-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

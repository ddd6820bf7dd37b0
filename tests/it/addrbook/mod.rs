//! The address book in a file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use peermux::addrbook::{
    AddressBook, AddressBookConfig, MemoryStore, Persistence, Source, SteadyClock, StoreError,
};
use peermux::{Enode, SecretKey, private_file};

mod damage;
mod kill;

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("peermux-addrbook-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("addresses.redb")
    }

    /// Writes the file with this content. Only the file's owner can read it.
    fn write(&self, content: impl AsRef<[u8]>) {
        // An error is ignored, since the file may not exist.
        let _ = std::fs::remove_file(self.file());
        private_file::write_new(&self.file(), content.as_ref()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // An error is ignored, since a leftover folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn open(path: &Path) -> Result<(AddressBook, Persistence), StoreError> {
    AddressBook::open(path, AddressBookConfig::default(), clock()).await
}

fn clock() -> SteadyClock {
    let time = std::time::Duration::from_secs(1_800_000_000);
    SteadyClock::starting_at(SystemTime::UNIX_EPOCH + time)
}

/// Returns a node in a network group of its own.
fn node(number: u32) -> Enode {
    let mut secret = [1; 32];
    secret[28..].copy_from_slice(&number.to_be_bytes());
    let key = SecretKey::from_bytes(&secret).unwrap().public_key();
    let [_, c, a, b] = number.to_be_bytes();
    Enode::new(key, ([20 + a % 80, b, c, 1], 30303).into())
}

#[tokio::test]
async fn a_draw_asks_about_one_address_at_a_time() {
    let config = AddressBookConfig::default();
    let loaded = AddressBook::load(MemoryStore::default(), config, clock()).await;
    let (book, _persistence) = loaded.unwrap();
    for number in [1, 2] {
        book.add(&node(number), Source::Own).unwrap();
    }
    let mut asked = 0;
    let drawn = book.draw(|entry| {
        asked += 1;
        let other = [1, 2]
            .map(node)
            .into_iter()
            .find(|one| one != entry.enode());
        book.remove(&other.expect("there are two").node_id());
        false
    });
    assert_eq!((drawn, asked), (None, 1));
}

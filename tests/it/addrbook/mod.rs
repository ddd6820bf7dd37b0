//! The address book in a file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use peermux::addrbook::{AddressBook, AddressBookConfig, Persistence, SteadyClock, StoreError};
use peermux::{Enode, SecretKey};

mod damage;
mod kill;

/// A folder that goes with the test.
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
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn open(path: &Path) -> Result<(AddressBook, Persistence), StoreError> {
    let clock = SteadyClock::starting_at(
        SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000),
    );
    AddressBook::open(path, AddressBookConfig::default(), clock).await
}

/// Nodes in groups of their own.
fn node(number: u32) -> Enode {
    let mut secret = [1; 32];
    secret[28..].copy_from_slice(&number.to_be_bytes());
    let key = SecretKey::from_bytes(&secret).unwrap().public_key();
    let [_, c, a, b] = number.to_be_bytes();
    Enode::new(key, ([20 + a % 80, b, c, 1], 30303).into())
}

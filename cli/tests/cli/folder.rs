//! A folder for the files of a test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is removed on drop. The path is so short that the folder can hold a socket.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("peermux-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns a path in the folder as an argument.
    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// Writes a file for its owner alone, and returns its path as an argument.
    pub(crate) fn file(&self, name: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> String {
        fs::write(self.path(name), content).expect("written");
        self.set_mode(name, 0o600);
        self.text(name)
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        let mode = Permissions::from_mode(mode);
        fs::set_permissions(self.path(name), mode).expect("ours");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // An error is ignored, because a folder that is left behind does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

//! The file around the database.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Whether there is no file yet, or an empty one.
pub(super) fn is_missing(path: &Path) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file() && metadata.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// A name beside a path that nobody else uses while this process lives.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    beside(path, &format!(".new-{process}-{number}"))
}

/// Opens or creates a file that nobody but its owner can read; emptied, if it shall be new.
pub(super) fn open_private(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives a complete new file its name, unless another process was first.
pub(super) fn put_in_place(complete: &Path, path: &Path) -> io::Result<()> {
    if path.try_exists()? && is_missing(path)? {
        std::fs::rename(complete, path)?;
    } else {
        match move_to_free(complete, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_file(complete)?;
            }
            moved => moved?,
        }
    }
    sync_folder(path)
}

/// Renames a file to the first free one of `path.damaged-1`, `path.damaged-2` and so on.
pub(super) fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1u32;
    loop {
        let kept = beside(path, &format!(".damaged-{number}"));
        match move_to_free(path, &kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            moved => return moved.map(|()| kept),
        }
    }
}

/// Renames a file, but fails where there is one already.
fn move_to_free(from: &Path, to: &Path) -> io::Result<()> {
    // A link, unlike a renaming, never replaces what is there; not every file system has links.
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if to.try_exists()? => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(from, to),
    }
}

/// A new name survives the machine's crash once its folder is on the disk.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

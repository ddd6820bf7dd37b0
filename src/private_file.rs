//! Files that only their owner can read, such as a node's key and its address book.
//!
//! A file appears under its name when it is complete: a process that is killed leaves all of it or
//! nothing. File systems can lack what that takes: without hard links a kill in the wrong moment
//! leaves an empty file, without a flush of folders a crash of the machine can undo a new name.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a new file. A file that is there already is left alone. After an error there is nothing
/// new.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is a file of that name, and all that the
/// system says.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = Unfinished::beside(path);
    let mut file = create(unfinished.path())?;
    file.write_all(content)?;
    file.sync_all()?;
    unfinished.put_in_place(path)
}

/// Whether there is no file yet, or an empty one.
pub(crate) fn is_missing(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file() && metadata.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading and writing, and creates it if it is missing.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    private().create(true).truncate(false).open(path)
}

/// Creates a file for reading and writing.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A name beside another one for a file that is not complete yet. Such a file goes with this.
#[derive(Debug)]
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    pub(crate) fn beside(path: &Path) -> Self {
        Self(beside(
            path,
            &format!(".new-{:016x}", rand::random::<u64>()),
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives a complete file its name, if there is no file of that name.
    pub(crate) fn put_in_place(self, path: &Path) -> io::Result<()> {
        move_to_free(&self.0, path)?;
        sync_folder(path)
    }

    /// Gives a complete file its name, in place of another file.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        sync_folder(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It has its name, or was never there, or the folder cannot be changed any more.
        let _ = fs::remove_file(&self.0);
    }
}

/// Renames a file to the first free one of `path.damaged-1`, `path.damaged-2` and so on.
pub(crate) fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1u32;
    loop {
        let kept = beside(path, &format!(".damaged-{number}"));
        match move_to_free(path, &kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            moved => return moved.map(|()| kept),
        }
    }
}

fn move_to_free(from: &Path, to: &Path) -> io::Result<()> {
    move_by_link(from, to, |from, to| fs::hard_link(from, to))
}

/// Renames a file, but fails where there is one already.
fn move_by_link(
    from: &Path,
    to: &Path,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    // A link, unlike a renaming, never replaces what is there.
    match link(from, to) {
        Ok(()) => return fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // Not every file system has links.
        Err(error) => tracing::debug!(?to, %error, "no hard link, the file is renamed"),
    }
    drop(create(to)?);
    fs::rename(from, to).inspect_err(|_| {
        // Ours, and empty.
        let _ = fs::remove_file(to);
    })
}

/// A new name survives the machine's crash once its folder is on the disk. Some file systems do not
/// offer that, and some folders cannot be read.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.or_else(|error| match error.kind() {
        io::ErrorKind::InvalidInput
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::Unsupported => {
            tracing::debug!(?folder, %error, "the folder is not flushed");
            Ok(())
        }
        _ => Err(error),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own, and what is in it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("peermux-private-file-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<OsString> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn no_links(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn an_unfinished_file_is_not_left_behind() {
        let folder = Folder::new("left");
        let path = folder.0.join("file");
        write_new(&path, b"first").unwrap();
        let error = write_new(&path, b"second").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(folder.names(), ["file"]);
    }

    #[test]
    fn without_hard_links_a_file_is_renamed_and_none_replaced() {
        let folder = Folder::new("links");
        let (from, to) = (folder.0.join("from"), folder.0.join("to"));
        write_new(&from, b"first").unwrap();
        move_by_link(&from, &to, no_links).unwrap();
        assert_eq!(folder.names(), ["to"]);
        write_new(&from, b"second").unwrap();
        let error = move_by_link(&from, &to, no_links).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"first");
        assert_eq!(folder.names(), ["from", "to"]);
    }

    #[test]
    fn a_name_whose_file_cannot_be_moved_is_given_back() {
        let folder = Folder::new("moved");
        let (from, to) = (folder.0.join("missing"), folder.0.join("to"));
        assert!(move_by_link(&from, &to, no_links).is_err());
        assert!(folder.names().is_empty());
    }
}

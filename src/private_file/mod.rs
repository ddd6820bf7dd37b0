//! Files that only their owner can read, such as a node's key and its address book.
//!
//! A file appears under its name when it is complete: a process that is killed leaves all of it or
//! nothing. File systems can lack what that takes: without hard links a kill in the wrong moment
//! leaves an empty file, without a flush of folders a crash of the machine can undo a new name.
//!
//! What is there already is checked before it is used, as ssh and PostgreSQL check their keys:
//!
//! - A file or folder belongs to the user of this process (the effective one) or to root.
//! - A file has no permissions for the group and others. Of a file of root's the group may read it,
//!   if this process does not run as root: that is how root gives a service its key.
//! - A folder cannot be changed by the group and others; the group may change a folder of root's.
//!   Others may list it, because each file in it is private by its own mode. Folders above it are not
//!   checked.
//! - The last part of a path is no symbolic link. Links before it are followed, so a secret of
//!   Kubernetes can be given by its path `..data/NAME`. `/dev/fd/N` and `/proc/self/fd/N`, which
//!   shells make of `<(command)`, lead only to what this process has open, and are followed.
//!
//! File systems without modes, such as FAT, show one mode for all files. Mount them with one that is
//! private (`umask=077`; for CIFS `file_mode=0600,dir_mode=0700`; for WSL the option `metadata`). Where
//! that is not possible, hand a key over through a pipe, for example `--key-file <(cat PATH)`. A volume
//! that Kubernetes mounts with `fsGroup` needs `fsGroupChangePolicy: OnRootMismatch`, else each mount opens
//! its files to the group. Where there is no Unix, neither owners nor modes are checked, and links to
//! files are followed.

mod exposed;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use exposed::Exposed;
use exposed::Kind;

/// Why a private file was not opened, or a folder is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Others could read or change it.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Opens a file or pipe with a secret, for reading. What was opened is checked, not its name, which
/// could lead elsewhere a moment later. Waits for a writer if it is a pipe with a name.
///
/// # Errors
/// [`OpenError::Exposed`] if others can read or change it; the path may be a symbolic link.
pub fn open(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true);
    open_checked(path, options)
}

/// Checks that only this user and root can change what is in a folder.
///
/// # Errors
/// [`OpenError::Exposed`] if others can, or if the path is a symbolic link.
pub fn check_folder(path: &Path) -> Result<(), OpenError> {
    // With a slash at the end of its path a link would be followed.
    let path = path.components().as_path();
    if let Some(link) = Exposed::link(path) {
        return Err(link.into());
    }
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
    }
    Ok(exposed::check(path, &metadata, Kind::Folder)?)
}

/// Writes a new file. A file that is there already is left alone. After an error there is nothing
/// new.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is a file of that name, and all that the
/// system says.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    written_beside(path, content)?.put_in_place(path)
}

/// Writes a file over an existing one, or a new one. After an error the existing one is as it was.
///
/// # Errors
/// What the system says.
pub fn write_over(path: &Path, content: &[u8]) -> io::Result<()> {
    written_beside(path, content)?.replace(path)
}

fn written_beside(path: &Path, content: &[u8]) -> io::Result<Unfinished> {
    let unfinished = Unfinished::beside(path);
    let mut file = create(unfinished.path())?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(unfinished)
}

/// Whether there is no file yet, or an empty one.
#[cfg(feature = "addrbook")]
pub(crate) fn is_missing(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file() && metadata.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading and writing, and creates it if it is missing.
#[cfg(feature = "addrbook")]
pub(crate) fn open_or_create(path: &Path) -> Result<File, OpenError> {
    let mut options = private();
    options.create(true).truncate(false);
    open_checked(path, options)
}

#[cfg_attr(not(unix), expect(unused_mut, reason = "there is no such flag"))]
fn open_checked(path: &Path, mut options: OpenOptions) -> Result<File, OpenError> {
    #[cfg(unix)]
    if !is_own_descriptor(path) {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(nix::libc::O_NOFOLLOW);
    }
    let file = options
        .open(path)
        .map_err(|error| Exposed::link(path).map_or(OpenError::Io(error), OpenError::Exposed))?;
    exposed::check(path, &file.metadata()?, Kind::File)?;
    Ok(file)
}

/// Whether a path names something that this process has open. It may look like a link, but nobody
/// else can change where it leads.
#[cfg(unix)]
fn is_own_descriptor(path: &Path) -> bool {
    let folder = path.parent().map(fs::canonicalize);
    let own = fs::canonicalize("/proc/self/fd");
    matches!((folder, own), (Some(Ok(folder)), Ok(own)) if folder == own)
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

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_used_and_neither_a_link_to_it_nor_an_open_one() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = Folder::new("used");
        let (path, link) = (folder.0.join("file"), folder.0.join("link"));
        write_new(&path, b"secret").unwrap();
        symlink("file", &link).unwrap();
        let opened = |path: &Path| match open(path) {
            Ok(file) => io::read_to_string(file).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(opened(&path), "secret");
        let text = format!(
            "{} is a symbolic link; give the path it leads to, \"file\"",
            link.display()
        );
        assert_eq!(opened(&link), text);
        assert_eq!(open_or_create(&link).unwrap_err().to_string(), text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o602)).unwrap();
        let text = format!(
            "{path} is open to others (mode 0602); run `chmod 600 {path}`",
            path = path.display()
        );
        assert_eq!(opened(&path), text);
        assert_eq!(open_or_create(&path).unwrap_err().to_string(), text);
        assert!(opened(&folder.0).ends_with("is neither a file nor a pipe"));
        assert!(opened(Path::new("/dev/null")).ends_with("is neither a file nor a pipe"));
    }

    /// As a shell does it for `<(command)`.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_this_process_has_open_is_no_link() {
        use std::os::fd::AsRawFd;

        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"secret").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let opened = open(Path::new(&path)).unwrap();
        assert_eq!(io::read_to_string(opened).unwrap(), "secret");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_used_if_only_its_owner_can_change_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = Folder::new("folder");
        let checked = |path: &Path| check_folder(path).map_err(|error| error.to_string());
        let link = folder.0.join("link");
        symlink(".", &link).unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(checked(&folder.0), Ok(()));
        for path in [&link, &link.join(""), &link.join(".")] {
            let error = checked(path).unwrap_err();
            assert!(error.contains("/link is a symbolic link"), "{error}");
        }
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
        let error = checked(&folder.0).unwrap_err();
        assert!(error.contains("(mode 0777); run `chmod go-w "), "{error}");
        write_new(&folder.0.join("file"), b"").unwrap();
        assert!(matches!(
            check_folder(&folder.0.join("file")),
            Err(OpenError::Io(_))
        ));
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

//! Files that only their owner can read, such as a node's key.
//!
//! A file appears under its name only when it is complete, so a killed process leaves either the
//! whole file or nothing. This depends on the file system. Without hard links, a kill at the wrong
//! moment can leave an empty file. Without support for flushing folders, a crash of the machine can
//! undo a new name.
//!
//! An existing file or folder is checked before use, as ssh and PostgreSQL check their keys:
//!
//! - It belongs to the effective user of this process or to root.
//! - A file has no permissions for the group and others. If root owns the file and this process
//!   does not run as root, the group may read it: this is how root gives a service its key.
//! - A folder cannot be changed by the group and others. If root owns the folder and this process
//!   does not run as root, the group may change it. Others may list a folder, because each file in
//!   it is private by its own mode. The parent folders are not checked.
//! - The last part of the path is not a symbolic link. Links before it are followed, so a
//!   Kubernetes secret can be given by its path `..data/NAME`. `/dev/fd/N` and `/proc/self/fd/N`,
//!   which shells pass for `<(command)`, are followed too: they lead only to files that this
//!   process has open.
//!
//! File systems without modes, such as FAT, show one mode for all files. Mount them with a private
//! mode (`umask=077`; for CIFS `file_mode=0600,dir_mode=0700`; for WSL the option `metadata`). If
//! that is not possible, pass a key through a pipe, for example `--key-file <(cat PATH)`. A volume
//! that Kubernetes mounts with `fsGroup` needs `fsGroupChangePolicy: OnRootMismatch`; otherwise
//! each mount opens its files to the group. On systems other than Unix, neither owners nor modes
//! are checked, and links to files are followed.

mod exposed;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use exposed::Exposed;
use exposed::Kind;

/// Why a private file was not opened, or a folder was rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Other users could read or change the file or folder.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The operating system returned an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Opens a file or pipe that holds a secret, for reading.
///
/// The check applies to the opened file, not to its name, which could lead elsewhere a moment
/// later. Opening a named pipe waits for a writer.
///
/// # Errors
/// [`OpenError::Exposed`] if others can read or change the file, or if the path is a symbolic link.
/// [`OpenError::Io`] if the file cannot be opened.
pub fn open(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true);
    open_checked(path, options)
}

/// Checks that only this user and root can change the content of a folder.
///
/// # Errors
/// [`OpenError::Exposed`] if others can change the content, or if the path is a symbolic link.
/// [`OpenError::Io`] if the folder's metadata cannot be read.
pub fn check_folder(path: &Path) -> Result<(), OpenError> {
    // Removes a slash at the end of the path, because it would make the system follow a link.
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

/// Writes a new file.
///
/// An existing file is not changed. After an error there is usually no new file. If the error
/// occurred while the temporary name was removed or the folder was flushed, the new file remains,
/// because it already has its final name.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if a file of that name exists, and any other I/O
/// error.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    written_beside(path, content)?.put_in_place(path)
}

/// Writes a file, and replaces an existing one.
///
/// After an error the existing file is unchanged, unless the error occurred when the folder was
/// flushed.
///
/// # Errors
/// Any I/O error.
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

/// Returns whether the file is missing or empty.
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

#[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has the flag"))]
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

/// Whether a path names a file descriptor of this process. Such a path may look like a link, but no
/// other user can change where it leads.
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

/// The temporary name of an incomplete file, next to its final name. Dropping this value removes
/// the file.
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

    /// Moves the complete file to its final name, unless a file has that name.
    pub(crate) fn put_in_place(self, path: &Path) -> io::Result<()> {
        move_to_free(&self.0, path)?;
        sync_folder(path)
    }

    /// Moves the complete file to its final name, and replaces an existing file.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        sync_folder(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Errors do not matter here: the file has been moved or was never created, or the folder
        // can no longer be changed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Renames a file to the first free name of `path.damaged-1`, `path.damaged-2` and so on.
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

/// Renames a file, but fails if the new name exists.
fn move_by_link(
    from: &Path,
    to: &Path,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    // Unlike renaming, a hard link never replaces an existing file.
    match link(from, to) {
        Ok(()) => return fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // Not every file system has hard links.
        Err(error) => tracing::debug!(?to, %error, "cannot make a hard link, renaming the file"),
    }
    drop(create(to)?);
    fs::rename(from, to).inspect_err(|_| {
        // `to` is the empty file created above, which only reserved the name.
        let _ = fs::remove_file(to);
    })
}

/// Flushes a folder, so that a new name survives a crash of the machine. Some file systems do not
/// support this, and some folders cannot be read; neither is an error.
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
            tracing::debug!(?folder, %error, "cannot flush the folder");
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

    /// A temporary folder.
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
    fn links_and_exposed_files_are_refused() {
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

    /// For `<(command)`, a shell passes the path of an open file.
    #[cfg(target_os = "linux")]
    #[test]
    fn open_files_of_this_process_are_not_links() {
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
    fn without_hard_links_a_file_is_renamed_but_none_is_replaced() {
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
    fn the_name_of_a_file_that_cannot_be_moved_is_released() {
        let folder = Folder::new("moved");
        let (from, to) = (folder.0.join("missing"), folder.0.join("to"));
        assert!(move_by_link(&from, &to, no_links).is_err());
        assert!(folder.names().is_empty());
    }
}

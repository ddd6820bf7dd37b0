//! The admin socket in the file system.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

use crate::refused::Refused;

/// How many connections can wait to be accepted.
const BACKLOG: u32 = 16;

/// A listening socket that only its owner can connect to.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a socket, which is removed on drop.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

/// The reason why the node cannot open its admin socket.
#[derive(Debug)]
pub(crate) struct NotListening {
    path: PathBuf,
    why: String,
    /// Whether another node listens at the path.
    pub(crate) is_taken: bool,
}

impl fmt::Display for NotListening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, why, .. } = self;
        write!(f, "cannot listen at admin socket {}: {why}", path.display())
    }
}

impl std::error::Error for NotListening {}

impl Socket {
    /// Listens at a path. If the path exists, it is replaced only if it is the socket of a node that was
    /// killed.
    pub(crate) fn bind(path: &Path) -> Result<Self, NotListening> {
        clear(path)?;
        bind(path).map_err(|error| cannot_listen(path, &Refused::Make.text(&error)))
    }
}

fn bind(path: &Path) -> io::Result<Socket> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let metadata = fs::symlink_metadata(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        inode: (metadata.dev(), metadata.ino()),
    };
    // Set the mode before `listen`, because no client can connect until then.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let listener = socket.listen(BACKLOG)?;
    Ok(Socket { listener, file })
}

/// Removes the socket at a path, if nothing listens there. Fails if a node does, or if the path is
/// not a socket.
fn clear(path: &Path) -> Result<(), NotListening> {
    let file_type = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_listen(path, &error)),
    };
    if !file_type.is_socket() {
        return Err(cannot_listen(
            path,
            &"it exists and is no socket; choose another path",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(NotListening {
            is_taken: true,
            ..cannot_listen(
                path,
                &"another node listens there; stop that with `peermux peers stop`, or choose another path",
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| cannot_listen(path, &error))
        }
        Err(error) => Err(cannot_listen(path, &error)),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path);
        let ours = now.is_ok_and(|now| (now.dev(), now.ino()) == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "admin socket not removed");
        }
    }
}

fn cannot_listen(path: &Path, why: &dyn fmt::Display) -> NotListening {
    NotListening {
        path: path.to_owned(),
        why: why.to_string(),
        is_taken: false,
    }
}

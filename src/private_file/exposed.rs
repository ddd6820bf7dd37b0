//! Checks whether users other than the owner can read or replace a file.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Why a file or folder is rejected: others could read it or change its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Exposed {
    /// The path is a symbolic link. It is not followed, because its target can change later.
    #[error("{} is a symbolic link; give the path it leads to, {target:?}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// The path that it leads to.
        target: PathBuf,
    },
    /// The file or folder belongs neither to the user of this process nor to root.
    #[error(
        "{path} belongs to user {owner}, not to user {user} or root; run `chown {user} {path}`",
        path = path.display()
    )]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// The id of the file's or folder's owner.
        owner: u32,
        /// The id of the user of this process.
        user: u32,
    },
    /// The mode of a file grants access to others.
    #[error(
        "{path} is open to others (mode {mode:04o}); run `chmod {needed} {path}`",
        path = path.display()
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
        /// The mode to pass to `chmod`.
        needed: &'static str,
    },
    /// Others can add, replace or remove files in a folder.
    #[error(
        "{path} can be changed by others (mode {mode:04o}); run `chmod {needed} {path}`, or give a \
         folder within it",
        path = path.display()
    )]
    Writable {
        /// The folder.
        path: PathBuf,
        /// The folder's permission bits.
        mode: u32,
        /// The mode to pass to `chmod`.
        needed: &'static str,
    },
    /// The path leads to something that is neither a regular file nor a pipe.
    #[error("{} is neither a file nor a pipe", path.display())]
    Kind {
        /// The path.
        path: PathBuf,
    },
}

impl Exposed {
    /// The link at a path, if there is one.
    pub(super) fn link(path: &Path) -> Option<Self> {
        let target = std::fs::read_link(path).ok()?;
        Some(Self::Link {
            path: path.to_owned(),
            target,
        })
    }
}

/// The kind of path to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// Checks an opened file or a folder.
#[cfg(unix)]
pub(super) fn check(path: &Path, metadata: &Metadata, kind: Kind) -> Result<(), Exposed> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let file_type = metadata.file_type();
    if kind == Kind::File && !file_type.is_file() && !file_type.is_fifo() {
        return Err(Exposed::Kind {
            path: path.to_owned(),
        });
    }
    let user = nix::unistd::geteuid().as_raw();
    judge(path, kind, metadata.uid(), user, metadata.mode() & 0o7777)
}

/// Accepts everything, because this system has no owners and modes.
#[cfg(not(unix))]
pub(super) fn check(_: &Path, _: &Metadata, _: Kind) -> Result<(), Exposed> {
    Ok(())
}

/// Checks the owner and the mode for the user of this process.
#[cfg(unix)]
fn judge(path: &Path, kind: Kind, owner: u32, user: u32, mode: u32) -> Result<(), Exposed> {
    const ROOT: u32 = 0;
    let path = path.to_owned();
    let is_own = owner == user;
    if !is_own && owner != ROOT {
        return Err(Exposed::Owner { path, owner, user });
    }
    // Root grants another user access to a file through the group. A folder may be listed by
    // others, since each file in it has its own mode.
    let (forbidden, needed) = match (kind, is_own) {
        (Kind::File, true) => (0o077, "600"),
        (Kind::File, false) => (0o037, "640"),
        (Kind::Folder, true) => (0o022, "go-w"),
        (Kind::Folder, false) => (0o002, "o-w"),
    };
    match kind {
        _ if mode & forbidden == 0 => Ok(()),
        Kind::File => Err(Exposed::Mode { path, mode, needed }),
        Kind::Folder => Err(Exposed::Writable { path, mode, needed }),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const ROOT: u32 = 0;
    const US: u32 = 1000;
    const OTHER: u32 = 1001;

    fn text(kind: Kind, owner: u32, user: u32, mode: u32) -> String {
        match judge(Path::new("x"), kind, owner, user, mode) {
            Ok(()) => "used".to_owned(),
            Err(exposed) => exposed.to_string(),
        }
    }

    #[test]
    fn a_file_is_private_to_its_owner_or_a_group_that_root_chose() {
        let file = |owner, user, mode| text(Kind::File, owner, user, mode);
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(file(US, US, mode), "used", "{mode:o}");
        }
        for mode in [0o640, 0o620, 0o610, 0o604, 0o602, 0o644, 0o777] {
            let refused = format!("x is open to others (mode {mode:04o}); run `chmod 600 x`");
            assert_eq!(file(US, US, mode), refused);
            assert_eq!(file(ROOT, ROOT, mode), refused);
        }
        assert_eq!(file(ROOT, US, 0o440), "used");
        let refused = "x is open to others (mode 0660); run `chmod 640 x`";
        assert_eq!(file(ROOT, US, 0o660), refused);
        let refused = "x is open to others (mode 0444); run `chmod 640 x`";
        assert_eq!(file(ROOT, US, 0o444), refused);
    }

    #[test]
    fn files_of_other_users_are_refused_whatever_their_mode() {
        let refused = "x belongs to user 1001, not to user 1000 or root; run `chown 1000 x`";
        for kind in [Kind::File, Kind::Folder] {
            assert_eq!(text(kind, OTHER, US, 0o600), refused);
            assert!(text(kind, OTHER, ROOT, 0o600).contains("not to user 0 or root"));
        }
    }

    #[test]
    fn a_folder_may_be_listed_but_not_changed_by_others() {
        let folder = |owner, user, mode| text(Kind::Folder, owner, user, mode);
        assert_eq!(folder(US, US, 0o700), "used");
        assert_eq!(folder(US, US, 0o755), "used");
        for mode in [0o775, 0o757, 0o1777] {
            let refused = format!(
                "x can be changed by others (mode {mode:04o}); run `chmod go-w x`, or give a folder within it"
            );
            assert_eq!(folder(US, US, mode), refused);
        }
        // A volume that Kubernetes mounts for a group.
        assert_eq!(folder(ROOT, US, 0o2775), "used");
        assert!(folder(ROOT, US, 0o2777).contains("run `chmod o-w x`"));
    }
}

//! Secret keys from the command line and in files.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use peermux::SecretKey;
use zeroize::Zeroizing;

use crate::args::COMMON;
use crate::failure::Failure;

/// No key file is larger, in bytes.
const MAX_FILE: u64 = 1024;

/// The node's key.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyArgs {
    /// The node's secret key in 64 hex digits, visible to other users [default: a fresh key]
    #[arg(long, global = true, help_heading = COMMON, value_name = "HEX", conflicts_with = "key_file")]
    key: Option<String>,
    /// A file with the node's secret key, as `key new` makes it
    #[arg(long, global = true, help_heading = COMMON, value_name = "PATH")]
    key_file: Option<PathBuf>,
}

impl KeyArgs {
    /// The key that was given, else a fresh one.
    pub(crate) fn load_or_random(&self) -> Result<SecretKey, Failure> {
        let given = self.load()?;
        Ok(given.unwrap_or_else(SecretKey::generate))
    }

    /// The key that was given, else the one in a file, which is made if there is none.
    pub(crate) fn load_or_keep(&self, path: &Path) -> Result<SecretKey, Failure> {
        if let Some(given) = self.load()? {
            return Ok(given);
        }
        if path
            .try_exists()
            .map_err(|error| cannot("read", path, &error))?
        {
            return read(path);
        }
        let key = SecretKey::generate();
        create(path, &key)?;
        Ok(key)
    }

    /// The key that was given, if one was.
    pub(crate) fn load(&self) -> Result<Option<SecretKey>, Failure> {
        if let Some(path) = &self.key_file {
            return read(path).map(Some);
        }
        // Not through clap, whose messages would repeat a mistyped key.
        let parse = |text: &String| {
            text.parse()
                .map_err(|e| Failure::Usage(format!("--key takes 64 hexadecimal digits: {e}")))
        };
        self.key.as_ref().map(parse).transpose()
    }

    /// The file that `key new` is to make.
    pub(crate) fn file(&self) -> Result<&Path, Failure> {
        let file = self.key_file.as_deref();
        file.ok_or_else(|| {
            Failure::Usage("--key-file PATH is needed: where to write the key".to_owned())
        })
    }
}

/// Reads a key file.
fn read(path: &Path) -> Result<SecretKey, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map_err(|error| cannot("read", path, &error))?;
    let parsed = text.trim().parse();
    parsed.map_err(|error| Failure::because(format!("key file {}: {error}", path.display())))
}

/// Makes a key file that only its owner can read; an existing file is left alone. A process that
/// dies meanwhile leaves no part of a key under that name.
pub(crate) fn create(path: &Path, key: &SecretKey) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::with_capacity(2 * SecretKey::LENGTH + 1));
    for byte in key.to_bytes().iter() {
        write!(text, "{byte:02x}").map_err(Failure::because)?;
    }
    text.push('\n');
    let written = write_whole(path, text.as_bytes());
    written.map_err(|error| cannot("make", path, &error))
}

/// Writes a file that does not exist yet: under another name first, since a name is given at once
/// and content is not.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{:016x}.tmp", rand::random::<u64>()));
    let unfinished = Path::new(&unfinished);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(unfinished)?;
    let made = file.write_all(content).and_then(|()| {
        file.sync_all()?;
        // Unlike a rename this fails if the name is taken.
        fs::hard_link(unfinished, path)
    });
    let removed = fs::remove_file(unfinished);
    made.and(removed)?;
    sync_folder(path)
}

/// Makes sure that a new name outlives the machine's end too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::because(format!(
        "cannot {what} key file {}: {error}",
        path.display()
    ))
}

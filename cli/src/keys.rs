//! Secret keys from the command line and in files.

use std::fmt::{Display, Write as _};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use peermux::SecretKey;
use peermux::private_file::{self, OpenError};
use peermux_cli::form;
use zeroize::Zeroizing;

use crate::args::COMMON;
use crate::failure::Failure;
use crate::refused::Refused;

/// The size limit of a key file, in bytes.
const MAX_FILE: u64 = 1024;

/// The options that give the node's key.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyArgs {
    /// The secret key in 64 hex digits, visible to other users [default: a fresh key]
    #[arg(long, global = true, help_heading = COMMON, value_name = "HEX", conflicts_with = "key_file")]
    key: Option<String>,
    /// A file with the node's secret key, made by `key new`
    #[arg(long, global = true, help_heading = COMMON, value_name = "PATH")]
    key_file: Option<PathBuf>,
}

impl KeyArgs {
    /// Returns the key in the options, or a fresh key.
    pub(crate) fn load_or_random(&self) -> Result<SecretKey, Failure> {
        let given = self.load()?;
        Ok(given.unwrap_or_else(SecretKey::generate))
    }

    /// Returns the key in the options, or the key in the file at `path`.
    ///
    /// Makes the file if it is missing.
    pub(crate) fn load_or_keep(&self, path: &Path) -> Result<SecretKey, Failure> {
        if let Some(given) = self.load()? {
            return Ok(given);
        }
        if path
            .try_exists()
            .map_err(|error| cannot(Refused::Read, path, &error))?
        {
            return read(path);
        }
        let key = SecretKey::generate();
        match write(path, &key) {
            Ok(()) => Ok(key),
            // Another process has made the file in the meantime.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
            Err(error) => Err(cannot(Refused::Make, path, &error)),
        }
    }

    /// Returns the key in the options, if there is one.
    pub(crate) fn load(&self) -> Result<Option<SecretKey>, Failure> {
        if let Some(path) = &self.key_file {
            return read(path).map(Some);
        }
        // The key is not parsed by clap, because errors of clap would repeat a mistyped key.
        let parse = |text: &String| {
            form::key(text.as_bytes())
                .map_err(|e| Failure::Usage(format!("--key takes 64 hexadecimal digits: {e}")))
        };
        self.key.as_ref().map(parse).transpose()
    }

    /// Returns the path of the file that `key new` makes.
    pub(crate) fn file(&self) -> Result<&Path, Failure> {
        let file = self.key_file.as_deref();
        file.ok_or_else(|| {
            Failure::Usage("--key-file PATH is needed: the file to write".to_owned())
        })
    }
}

/// Reads a key file.
fn read(path: &Path) -> Result<SecretKey, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = private_file::open(path).map_err(|error| match error {
        OpenError::Io(error) => cannot(Refused::Read, path, &error),
        exposed => Failure::because(format!("key file {exposed}")),
    })?;
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot(Refused::Read, path, &error))?;
    let wrong = |why: &dyn Display| Failure::because(format!("key file {}: {why}", path.display()));
    if bytes.len() as u64 > MAX_FILE {
        return Err(wrong(&"it is too large for a key"));
    }
    form::key(&bytes).map_err(|error| wrong(&error))
}

/// Makes a key file that only its owner can read; never replaces a file.
pub(crate) fn create(path: &Path, key: &SecretKey) -> Result<(), Failure> {
    write(path, key).map_err(|error| cannot(Refused::Make, path, &error))
}

fn write(path: &Path, key: &SecretKey) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(2 * SecretKey::LENGTH + 1));
    for byte in key.to_bytes().iter() {
        write!(text, "{byte:02x}").map_err(io::Error::other)?;
    }
    text.push('\n');
    private_file::write_new(path, text.as_bytes())
}

fn cannot(what: Refused, path: &Path, error: &io::Error) -> Failure {
    let (path, why) = (path.display(), what.text(error));
    Failure::because(format!("cannot {what} key file {path}: {why}"))
}

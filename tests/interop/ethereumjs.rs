//! Installing the node on `@ethereumjs/devp2p`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::foreign::{Foreign, Implementation, build_with, is_built, output, sources};

/// Its Snappy, in JavaScript, takes minutes for messages of megabytes.
const SIZES: &[usize] = &[0, 1, 1 << 10, 64 << 10];

const LOCK_FILE: &str = "package-lock.json";

/// The lock file that the installed packages are those of.
const INSTALLED: &str = "node_modules/.installed-lock.json";

/// Installs what the program needs.
pub(crate) fn build() -> Result<Foreign, String> {
    let folder = install("ethereumjs")?;
    Ok(Foreign {
        implementation: Implementation::EthereumJs,
        command: vec!["node".into(), folder.join("main.mjs").into()],
        client: "ethereumjs",
        sizes: SIZES,
        devp2p: None,
    })
}

/// Copies a program below the target folder, because Node looks for packages beside it, and installs
/// the packages unless they are there already. Returns where it is then.
///
/// Only once in a run for each program: it overwrites what may be running.
pub(crate) fn install(name: &str) -> Result<PathBuf, String> {
    let folder = output().join(name);
    if is_built() {
        return Ok(folder);
    }
    build_with("node", Path::new("."), ["--version"])?;
    copy_program(&sources().join(name), &folder)
        .map_err(|error| format!("copying to {}: {error}", folder.display()))?;
    let lock = fs::read(folder.join(LOCK_FILE)).map_err(|error| error.to_string())?;
    if fs::read(folder.join(INSTALLED)).ok().as_ref() != Some(&lock) {
        let arguments = ["ci", "--engine-strict", "--no-audit", "--no-fund"];
        build_with("npm", &folder, arguments)?;
        fs::write(folder.join(INSTALLED), &lock).map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

fn copy_program(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

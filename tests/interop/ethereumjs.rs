//! Installs the node that is built on `@ethereumjs/devp2p`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::foreign::{Foreign, Implementation, announce, build_with, is_built, output, sources};

/// The message sizes to test. EthereumJS's Snappy is written in JavaScript and takes minutes for
/// messages of megabytes.
const SIZES: &[usize] = &[0, 1, 1 << 10, 64 << 10];

const LOCK_FILE: &str = "package-lock.json";

/// A copy of the lock file of the installed packages.
const INSTALLED: &str = "node_modules/.installed-lock.json";

/// Installs the program's packages.
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

/// Copies a program below the target folder and installs its packages there.
///
/// Node looks for packages next to the program. Packages that are already installed are kept.
/// Returns the folder.
///
/// Call it only once per program in each run of the tests, since it overwrites files that may be in
/// use.
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
        announce("npm", &format!("the packages of `{name}`"));
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

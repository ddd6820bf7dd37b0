//! Installing the node on `@ethereumjs/devp2p`.

use std::fs;
use std::path::Path;

use crate::foreign::{Foreign, Implementation, build_with, output, sources};

/// Its Snappy, in JavaScript, takes minutes for messages of megabytes.
const SIZES: &[usize] = &[0, 1, 1 << 10, 64 << 10];

const LOCK_FILE: &str = "package-lock.json";

/// The lock file that the installed packages are those of.
const INSTALLED: &str = "node_modules/.installed-lock.json";

/// Copies the program below the target folder, because Node looks for packages beside it, and installs
/// the packages unless they are there already.
pub(crate) fn build() -> Result<Foreign, String> {
    build_with("node", Path::new("."), ["--version"])?;
    let folder = output().join("ethereumjs");
    copy_program(&folder).map_err(|error| format!("copying to {}: {error}", folder.display()))?;
    let lock = fs::read(folder.join(LOCK_FILE)).map_err(|error| error.to_string())?;
    if fs::read(folder.join(INSTALLED)).ok().as_ref() != Some(&lock) {
        let arguments = ["ci", "--engine-strict", "--no-audit", "--no-fund"];
        build_with("npm", &folder, arguments)?;
        fs::write(folder.join(INSTALLED), &lock).map_err(|error| error.to_string())?;
    }
    Ok(Foreign {
        implementation: Implementation::EthereumJs,
        command: vec!["node".into(), folder.join("main.mjs").into()],
        client: "ethereumjs",
        sizes: SIZES,
        devp2p: None,
    })
}

fn copy_program(to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(sources().join("ethereumjs"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

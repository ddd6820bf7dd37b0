//! Finds the revision that the program is built from, for `--version`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The number of digits of a revision that are shown.
const SHOWN: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let text = match packaged(Path::new(&folder)).or_else(|| checked_out(&folder)) {
        Some(revision) => format!("{version} ({})", revision.get(..SHOWN).unwrap_or(&revision)),
        None => version,
    };
    println!("cargo::rustc-env=PEERMUX_VERSION={text}");
}

/// Returns the revision that a published package was made from.
fn packaged(folder: &Path) -> Option<String> {
    let info = fs::read_to_string(folder.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = info.split_once("\"sha1\": \"")?;
    let (revision, _) = rest.split_once('"')?;
    Some(revision.to_owned())
}

/// Returns the revision of a checkout.
fn checked_out(folder: &str) -> Option<String> {
    let revision = git(folder, &["rev-parse", "HEAD"])?;
    // Run this script again after a checkout or a commit.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(folder, &["rev-parse", "--git-path", name])
            && let path = Path::new(folder).join(path)
            && path.exists()
        {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    Some(revision)
}

/// Returns the output of git, or `None` if git or the repository is missing.
fn git(folder: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(run.stdout).ok()?;
    run.status.success().then(|| text.trim().to_owned())
}

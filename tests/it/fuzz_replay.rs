//! The fuzz targets over their kept inputs: no finding comes back.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use peermux::fuzzing::{Body, TARGETS};

/// The folder with a folder of inputs for each target. Only a published package is without it, and
/// says that it was not replayed.
fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("fuzz/corpus");
    if corpus.is_dir() {
        return Some(corpus);
    }
    // Cargo writes this file into every package.
    let packaged = root.join("Cargo.toml.orig").is_file();
    assert!(packaged, "{} is missing", corpus.display());
    // Not `eprintln`, whose output a test that passes swallows.
    let note =
        b"NOT RUN: the fuzz targets' kept inputs are in the repository, not in the package\n";
    std::io::stderr().write_all(note).unwrap();
    None
}

/// The paths in a folder, in a fixed order.
fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("{}: {error}", folder.display());
    });
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs a target over all its inputs; returns those that it failed on.
fn replay(body: Body, folder: &Path) -> Vec<String> {
    let inputs = entries(folder);
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    let failed = inputs.iter().filter(|path| {
        let input = fs::read(path).unwrap();
        catch_unwind(|| body(&input)).is_err()
    });
    failed.map(|path| path.display().to_string()).collect()
}

#[test]
fn kept_inputs_of_every_target_pass() {
    let Some(corpus) = corpus() else { return };
    let failed: Vec<String> = TARGETS
        .iter()
        .flat_map(|(name, body)| replay(*body, &corpus.join(name)))
        .collect();
    assert!(failed.is_empty(), "failing inputs: {failed:#?}");
}

#[test]
fn every_folder_of_inputs_has_a_target() {
    let Some(corpus) = corpus() else { return };
    let expected: BTreeSet<PathBuf> = TARGETS.iter().map(|(name, _)| corpus.join(name)).collect();
    assert_eq!(entries(&corpus), expected);
}

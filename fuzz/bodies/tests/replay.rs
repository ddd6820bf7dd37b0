//! Runs the fuzz targets over their kept inputs, so that no finding recurs.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in helper functions too"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use peermux_fuzz_bodies::{Body, TARGETS};

/// Returns all targets with their bodies and corpus folders.
fn targets() -> impl Iterator<Item = (Body, PathBuf)> {
    TARGETS
        .iter()
        .map(|(name, body)| (*body, corpus().join(name)))
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// Returns the paths in a folder, in a fixed order.
fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("{}: {error}", folder.display());
    });
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs a target over all its inputs. Returns the inputs that failed.
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
    let failed: Vec<String> = targets()
        .flat_map(|(body, folder)| replay(body, &folder))
        .collect();
    assert!(failed.is_empty(), "failing inputs: {failed:#?}");
}

#[test]
fn every_folder_of_inputs_has_a_target() {
    let expected: BTreeSet<PathBuf> = targets().map(|(_, folder)| folder).collect();
    assert_eq!(entries(&corpus()), expected);
}

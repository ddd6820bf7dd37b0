//! Finds the files of a folder.

use std::fs::read_dir;
use std::path::{Path, PathBuf};

/// Folders that builds and tools create.
const NOT_OURS: [&str; 3] = ["target", "node_modules", ".git"];

/// Returns the files with this extension in a folder and its subfolders.
pub(crate) fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            if !NOT_OURS.contains(&name.unwrap_or("")) {
                files.extend(below(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

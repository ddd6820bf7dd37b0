//! Checks the links in the documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::files;

/// A link to a file: the document that contains it, and its target as written.
type Link = (PathBuf, String);

/// Returns the lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

fn is_file(target: &str) -> bool {
    !target.starts_with('#') && !target.contains("://") && !target.starts_with("crate::")
}

/// Returns the targets of inline links, `[text](target)`.
fn inline(text: &str) -> Vec<String> {
    let ends = |rest: &str| rest.split_once(')').map(|(target, _)| target.to_owned());
    let lines = prose(text).flat_map(|line| line.split("](").skip(1));
    lines
        .filter_map(ends)
        .filter(|target| is_file(target))
        .collect()
}

/// Returns the labels and targets of definitions, `[label]: target`.
fn definitions(text: &str) -> Vec<(String, String)> {
    let defined = |line: &str| {
        let (label, target) = line.strip_prefix('[')?.split_once("]: ")?;
        Some((label.to_owned(), target.trim().to_owned()))
    };
    prose(text).filter_map(defined).collect()
}

/// Returns the links of all documents below `root`.
pub(crate) fn all(root: &Path) -> Vec<Link> {
    let mut links = Vec::new();
    for file in files::below(root, "md") {
        let text = std::fs::read_to_string(&file).expect("a document");
        let defined = definitions(&text).into_iter().map(|(_, target)| target);
        let targets = inline(&text).into_iter().chain(defined);
        links.extend(
            targets
                .filter(|target| is_file(target))
                .map(|to| (file.clone(), to)),
        );
    }
    links
}

/// Returns the links that lead to no file.
pub(crate) fn broken(links: &[Link]) -> Vec<&Link> {
    let leads_nowhere = |(from, to): &&Link| {
        let file = to.split('#').next().unwrap_or(to);
        let folder = from.parent().expect("a file in a folder");
        !folder.join(file).exists()
    };
    links.iter().filter(leads_nowhere).collect()
}

/// Returns the links that would not work in rustdoc.
///
/// These are inline links in a chapter, and links whose label has no target in `src/guide.rs`.
pub(crate) fn lost_in_rustdoc(root: &Path) -> Vec<String> {
    let guide = std::fs::read_to_string(root.join("src/guide.rs")).expect("the guide");
    let known: BTreeSet<&str> = guide
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"[")?.split_once("]: "))
        .map(|(label, _)| label)
        .collect();
    let mut lost = Vec::new();
    for path in files::below(&root.join("docs"), "md") {
        let (name, text) = (
            path.display(),
            std::fs::read_to_string(&path).expect("a chapter"),
        );
        lost.extend(
            inline(&text)
                .iter()
                .map(|target| format!("{name}: {target} in the text")),
        );
        for (label, target) in definitions(&text) {
            if is_file(&target) && !known.contains(label.as_str()) {
                lost.push(format!("{name}: [{label}] is not in src/guide.rs"));
            }
        }
    }
    lost
}

//! Checks the first sentences of rustdoc.

use std::path::Path;

use crate::files;

/// The maximum number of words in a first sentence.
const MOST: usize = 15;

/// Returns the comments whose first sentence has more words than the maximum, as `line: sentence`.
pub(crate) fn too_long(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = "";
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    for (number, line) in lines.iter().enumerate() {
        let marker = marker(line);
        if !marker.is_empty() && marker != before {
            let block = lines[number..]
                .iter()
                .map_while(|line| line.strip_prefix(marker));
            let sentence = first_sentence(block);
            if sentence.split_whitespace().count() > MOST {
                found.push(format!("{}: {sentence}", number + 1));
            }
        }
        before = marker;
    }
    found
}

/// Returns the marker at the start of a line of rustdoc, or nothing.
fn marker(line: &str) -> &'static str {
    match line {
        _ if line.starts_with("////") => "",
        _ if line.starts_with("///") => "///",
        _ if line.starts_with("//!") => "//!",
        _ => "",
    }
}

/// Returns the text up to the first full stop, without the targets of links.
fn first_sentence<'a>(block: impl Iterator<Item = &'a str>) -> String {
    let paragraph = block.map(str::trim).take_while(|line| {
        let is_other = ["|", "```", "- ", "#"]
            .iter()
            .any(|start| line.starts_with(start));
        !line.is_empty() && !is_other
    });
    let text = paragraph.collect::<Vec<_>>().join(" ");
    let mut sentence = String::new();
    let mut in_target = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        in_target |= character == '(' && sentence.ends_with(']');
        if !in_target {
            sentence.push(character);
        }
        in_target &= character != ')';
        let is_end = matches!(character, '.' | '!' | '?') && characters.peek() == Some(&' ');
        if is_end && !sentence.ends_with("e.g.") && !sentence.ends_with("i.e.") {
            break;
        }
    }
    sentence
}

/// Returns the findings in a folder and its subfolders.
pub(crate) fn in_folder(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in files::below(folder, "rs") {
        let text = std::fs::read_to_string(&path).expect("a source file");
        let lines = too_long(&text).into_iter();
        found.extend(lines.map(|line| format!("{}:{line}", path.display())));
    }
    found
}

//! Each `select!` is biased, with a comment that gives the reason for its order.

use std::fs::read_to_string;
use std::path::Path;

use crate::files;

/// Returns the line numbers of `select!`s that do not begin with a comment and `biased;`.
fn undecided(text: &str) -> Vec<usize> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_select = |line: &str| !line.starts_with("//") && line.contains("select! {");
    let decides = |body: &[&str]| {
        let comment = body.iter().take_while(|line| line.starts_with("// "));
        let length = comment.count();
        length > 0 && body.get(length) == Some(&"biased;")
    };
    let selects = lines.iter().enumerate().filter(|(_, line)| is_select(line));
    selects
        .filter(|(at, _)| !decides(&lines[at + 1..]))
        .map(|(at, _)| at + 1)
        .collect()
}

fn check(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in files::below(folder, "rs") {
        let text = read_to_string(&path).expect("readable");
        let file = path.display();
        found.extend(undecided(&text).iter().map(|line| format!("{file}:{line}")));
    }
    found
}

#[test]
fn every_select_is_biased_and_explains_its_order() {
    let mut found = Vec::new();
    for folder in ["src", "cli/src", "protocols/src"] {
        found.extend(check(&super::root().join(folder)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_select_with_random_order_is_found() {
    let decided =
        "/// `select! {`\ntokio::select! {\n    // This first.\n    biased;\n    () = a => {}\n}";
    assert!(undecided(decided).is_empty());
    assert_eq!(
        undecided("let x = tokio::select! {\n    () = a => {}\n};"),
        [1]
    );
    assert_eq!(
        undecided("\nselect! {\n    biased;\n    () = a => {}\n}"),
        [2]
    );
}

//! Checks that the code follows the layers in ARCHITECTURE.md.
//!
//! No file uses a layer that its own layer may not use, and no two files of a folder need each
//! other. Other rules that apply to all files are checked here too.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails if it cannot read its input"
)]

mod files;
mod first_lines;
mod links;
mod selects;
mod source;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::{Source, Use};
use table::Table;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn table() -> Table {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    Table::parse(&text)
}

/// Returns the uses of a layer that the table does not allow, one per line.
fn broken(table: &Table, uses: &[Use]) -> Vec<String> {
    let broken = |one: &&Use| !table.allows(&one.layer, &one.target);
    uses.iter()
        .filter(broken)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_layer_knows_only_what_the_table_allows() {
    let source = Source::read(&root().join("src"));
    let table = table();
    for layer in source.layers() {
        assert!(table.has(&layer), "`{layer}` is not in the table of layers");
    }
    let uses = source.uses();
    assert!(uses.len() > 400, "only {} uses were found", uses.len());
    let broken = broken(&table, &uses);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_table_itself_has_no_circle() {
    let table = table();
    for layer in table.layers() {
        assert!(
            !table.reaches(layer, layer),
            "`{layer}` knows itself through others"
        );
    }
}

#[test]
fn an_upward_import_is_found_wherever_it_occurs() {
    let planted = [
        "use crate::peer::Peer;",
        "use crate::{fault::Fault, peer::{Peer, PeerError}};",
        "fn f() -> crate::peer::Peer { todo!() }",
        "fn f() { tracing::debug!(id = %crate::peer::id(), \"x\") }",
        "fn f() { let _ = crate::peer::PeerError::Closed; }",
        "mod inner { use crate::peer::Peer; }",
        "use super::super::peer::Peer;",
    ];
    let table = table();
    for code in planted {
        let source = Source::of_file("rlpx/frame.rs", code);
        let broken = broken(&table, &source.uses());
        assert!(!broken.is_empty(), "{code}");
    }
    let innocent = "#[cfg(test)] mod tests { use crate::peer::Peer; }\n/// [`x`](crate::peer::Peer)\nfn f() {}";
    let source = Source::of_file("rlpx/frame.rs", innocent);
    assert!(broken(&table, &source.uses()).is_empty());
}

#[test]
fn items_at_the_root_are_imported_from_their_layer() {
    // A path such as `crate::Peer`, which goes through a re-export, would hide the layer.
    let source = Source::read(&root().join("src"));
    let layers: BTreeSet<_> = source.layers().into_iter().collect();
    let uses = source.uses();
    let hidden: Vec<_> = uses
        .iter()
        .filter(|one| !layers.contains(&one.target))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn files_form_no_circle() {
    let graph = Source::read(&root().join("src")).files();
    let circles: Vec<_> = circles(&graph)
        .into_iter()
        .map(|files| files.join(" ↔ "))
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_of_files_is_found() {
    let edge = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let graph = BTreeMap::from([
        edge("a", "b"),
        edge("b", "c"),
        edge("c", "a"),
        edge("d", "a"),
    ]);
    assert_eq!(circles(&graph), [["a", "b", "c"]]);
}

/// Returns groups of files that all need each other.
fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<_> = graph.get(from).into_iter().flatten().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file.clone()) {
                next.extend(graph.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let all: BTreeMap<_, _> = graph
        .keys()
        .map(|file| (file.clone(), reached(file)))
        .collect();
    let mut found = BTreeSet::new();
    for (file, reached) in &all {
        let circle: Vec<_> = reached
            .iter()
            .filter(|other| all.get(*other).is_some_and(|back| back.contains(file)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

#[test]
fn the_links_of_the_documents_lead_somewhere() {
    let links = links::all(root());
    assert!(links.len() > 80, "only {} links were found", links.len());
    let broken = links::broken(&links);
    assert!(broken.is_empty(), "{broken:#?}");
    let lost = links::lost_in_rustdoc(root());
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

#[test]
fn the_first_sentence_of_rustdoc_is_short() {
    let words = |count: usize| vec!["word"; count].join(" ");
    let text = |count| format!("/// {}. And more.\nfn f() {{}}\n", words(count));
    assert!(first_lines::too_long(&text(15)).is_empty());
    assert_eq!(first_lines::too_long(&text(16)).len(), 1);
    let mut found = Vec::new();
    for folder in [
        "src",
        "protocols/src",
        "cli/src",
        "macros/src",
        "crypto/src",
    ] {
        found.extend(first_lines::in_folder(&root().join(folder)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
